"""Bodies of requests and responses, with the examples that the OpenAPI description shows."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

MAX_QUESTIONS = 100
MAX_QUESTION = 2000
MAX_DOCUMENTS = 10_000
Questions: Any = Field(default_factory=list, max_length=MAX_QUESTIONS, examples=[["Who signs?"]])


class Body(BaseModel):
    """A body of a request, without fields that nobody reads, and with text that can be encoded."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("*")
    @classmethod
    def encodable(cls, value: Any) -> Any:
        """Refuse halves of surrogate pairs, which JSON can write and UTF-8 cannot."""
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str):
                try:
                    text.encode("utf8")
                except UnicodeEncodeError as error:
                    raise ValueError("contains half a character (a lone surrogate)") from error
        return value


class DocumentRequest(Body):
    """A document to read."""

    text: str = Field(examples=["Anna rents the garden to Boris."])
    pipeline: str | None = Field(default=None, description="Name of the pipeline; the first one if not given")
    questions: list[str] = Questions


class AskRequest(Body):
    """Questions about a document: one that was sent before, by its id, or a new text."""

    questions: list[str] = Field(min_length=1, max_length=MAX_QUESTIONS, examples=[["Who signs?"]])
    document: str | None = Field(default=None, description="Id of a document that was sent before")
    text: str | None = None
    pipeline: str | None = None


class BatchDocument(Body):
    """One of many documents."""

    text: str
    id: str | int | None = Field(default=None, description="Comes back with the result")
    questions: list[str] = Questions


class BatchRequest(Body):
    """Many documents."""

    documents: list[BatchDocument] = Field(
        min_length=1, max_length=MAX_DOCUMENTS, examples=[[{"id": 1, "text": "Anna rents the garden."}]]
    )
    pipeline: str | None = None


class Mark(BaseModel):
    """A stretch of the text."""

    start: int = Field(description="First character, in Unicode code points")
    end: int = Field(description="The character after the last one")
    label: str
    text: str
    score: float | None = Field(description="Probability; null if the component gives none")


class Place(BaseModel):
    """A possible answer; without text if there is none."""

    text: str
    start: int
    end: int
    score: float | None
    page: int | None


class Answer(Place):
    """An answer to a question."""

    question: str
    alternatives: list[Place]


class HeadingResult(BaseModel):
    """A heading of the outline."""

    start: int
    level: int
    title: str
    page: int | None


class DocumentResult(BaseModel):
    """What was found in a document."""

    id: str = Field(description="For further questions")
    pipeline: str
    characters: int
    pieces: int
    windows: int
    pages: list[int] = Field(description="Where each page begins; empty if the format has no pages")
    outline: list[HeadingResult]
    entities: list[Mark]
    spans: dict[str, list[Mark]]
    categories: dict[str, float | None]
    evidence: dict[str, list[Mark]]
    answers: list[Answer]
    text: str | None = Field(default=None, description="The text of a file that was sent")


class AskResult(BaseModel):
    """Answers to questions, in their order."""

    id: str
    pipeline: str
    answers: list[Answer]


class ErrorResult(BaseModel):
    """Why a request was refused."""

    error: str = Field(examples=["[BB522] The queue is full. Try again in 2 seconds."])


class PipelineResult(BaseModel):
    """A pipeline that is served."""

    name: str
    lang: str
    version: str
    description: str
    components: list[str]
    labels: dict[str, list[str]]
    answers: bool
