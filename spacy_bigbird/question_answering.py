"""Question answering with the interface of the pipeline that transformers had before version 5.3."""

from pathlib import Path
from typing import Any, TypedDict

import spacy
from spacy.language import Language

from .errors import Errors
from .pipeline.queries.span_qa import SpanQA

__all__ = ["QuestionAnswerer"]


class ExtractedAnswer(TypedDict):
    """One answer to a question.

    score (float): probability of the answer.
    start (int): start of the answer in the context. Unit: characters.
    end (int): end of the answer, exclusive. Unit: characters.
    answer (str): the text in between.
    """

    score: float
    start: int
    end: int
    answer: str


class QuestionAnswerer:
    """Answers questions about contexts of any length.

        question_answerer = QuestionAnswerer("my_qa_pipeline")
        question_answerer(question="Who signs?", context="...")  # a dictionary: score, start, end, answer

    pipeline (Language | str | Path): a pipeline with a `bigbird_span_qa` component, or the argument for `spacy.load`.
    RAISES ValueError: the pipeline has no such component.
    """

    def __init__(self, pipeline: Language | str | Path) -> None:
        self.nlp = pipeline if isinstance(pipeline, Language) else spacy.load(pipeline)
        self.component = find_span_qa(self.nlp)

    def __call__(
        self,
        question: str | list[str],
        context: str | list[str],
        *,
        top_k: int = 1,
        max_answer_len: int | None = None,
        handle_impossible_answer: bool = False,
        align_to_words: bool = True,
    ) -> ExtractedAnswer | list[Any]:
        """Answer one or several questions.

        question (str | list[str]): one or several questions.
        context (str | list[str]): one context, or as many contexts as questions.
        top_k (int): maximum number of answers per question.
        max_answer_len (int | None): maximum length of an answer; None for the component's setting. Unit: tokens.
        handle_impossible_answer (bool): whether "no answer" may be returned, as an empty text at 0, 0. Otherwise it is
            left out where there are other answers, and their scores are normalized without it.
        align_to_words (bool): whether to extend answers to whole tokens.
        RETURNS (ExtractedAnswer | list): for one question, a dictionary if `top_k` is 1, otherwise a list of them; for
            a list of questions, a list with the same for each.
        RAISES ValueError: the numbers of questions and contexts differ, or an argument is not allowed.
        """
        questions = [question] if isinstance(question, str) else list(question)
        contexts = [context] * len(questions) if isinstance(context, str) else list(context)
        if len(contexts) != len(questions):
            raise ValueError(Errors.BB314.format(questions=len(questions), contexts=len(contexts)))
        settings: dict[str, Any] = {"align_to_tokens": align_to_words}
        settings["n_best"] = max(top_k, self.component.cfg["n_best"])
        if max_answer_len is not None:
            settings["max_answer_length"] = max_answer_len
        if not handle_impossible_answer:
            settings["null_threshold"] = float("inf")
        together: dict[str, list[int]] = {}
        for number, text in enumerate(contexts):
            together.setdefault(text, []).append(number)
        results: list[Any] = [None] * len(questions)
        for text, numbers in together.items():
            asked = [questions[number] for number in numbers]
            answers = self.component.ask(self.nlp.make_doc(text), asked, **settings)
            for number, answer in zip(numbers, answers, strict=True):
                rows = _rows(answer.alternatives, handle_impossible_answer)[:top_k]
                results[number] = rows[0] if top_k == 1 else rows
        return results[0] if isinstance(question, str) else results


def find_span_qa(nlp: Language) -> SpanQA:
    """Find the first enabled component that answers questions.

    nlp (Language): the pipeline.
    RETURNS (SpanQA): the component.
    RAISES ValueError: there is none.
    """
    for _, component in nlp.pipeline:
        if isinstance(component, SpanQA):
            return component
    raise ValueError(Errors.BB315.format(found=nlp.pipe_names))


def _rows(alternatives: list[dict[str, Any]], with_null: bool) -> list[ExtractedAnswer]:
    kept = [row for row in alternatives if row["text"] or with_null]
    total = sum(row["score"] for row in kept)
    if not kept or total == 0.0:
        kept, total = kept or alternatives, 1.0
    return [
        ExtractedAnswer(score=row["score"] / total, start=row["start_char"], end=row["end_char"], answer=row["text"])
        for row in kept
    ]
