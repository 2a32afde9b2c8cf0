"""Corpus readers for questions: SQuAD's JSON and .spacy files. Gold stands on the reference alone."""

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import srsly
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Corpus, Example

from ..errors import Errors, Warnings
from .questions import gold_spans, install_question_extensions, read_questions, without_gold

PARAGRAPH_BREAK = "\n\n"


def make_squad_corpus(
    path: Path | None, join_paragraphs: bool = False, max_questions: int = 0, limit: int = 0
) -> "SquadCorpus":
    """Registered as `spacy-bigbird.SquadCorpus.v1`, for `[corpora.train]` and `[corpora.dev]`.

    path (Path | None): a file in SQuAD's JSON format (1.1 or 2.0) or a folder of such files.
    join_paragraphs (bool): whether the paragraphs of an article make one document.
    max_questions (int): most questions per example; a document with more is repeated. 0 for no limit.
    limit (int): most examples. 0 for no limit.
    RETURNS (SquadCorpus): the reader.
    """
    return SquadCorpus(path, join_paragraphs, max_questions, limit)


def make_question_corpus(path: Path | None, max_questions: int = 0, limit: int = 0) -> "QuestionCorpus":
    """Registered as `spacy-bigbird.QuestionCorpus.v1`, for `[corpora.train]` and `[corpora.dev]`.

    path (Path | None): a .spacy file or a folder of them, stored with `DocBin(store_user_data=True)`. Its documents
        hold `doc._.questions` with answers, `doc._.choices` with the index of the right answer, or `doc._.masks`.
    max_questions (int): most questions per example; a document with more is repeated. 0 for no limit.
    limit (int): most examples. 0 for no limit.
    RETURNS (QuestionCorpus): the reader.
    """
    return QuestionCorpus(path, max_questions, limit)


class SquadCorpus:
    """Yields an example per context of SQuAD files, with its questions."""

    def __init__(
        self, path: Path | str | None, join_paragraphs: bool = False, max_questions: int = 0, limit: int = 0
    ) -> None:
        self.path = _given(path, "SquadCorpus")
        self.join_paragraphs = join_paragraphs
        self.max_questions = max_questions
        self.limit = limit
        self._has_reported = False

    def __call__(self, nlp: Language) -> Iterator[Example]:
        """Read the files once.

        nlp (Language): tokenizes the contexts.
        YIELDS (Example): the reference has the questions with gold, the prediction has them without.
        """
        mismatched = total = 0
        for number, (context, questions) in enumerate(self._contexts()):
            if self.limit and number >= self.limit:
                break
            total += sum(len(question.get("answers") or ()) for question in questions)
            mismatched += sum(gold_spans(question, context)[1] for question in questions)
            yield _example(nlp.make_doc(context), questions)
        if mismatched and not self._has_reported:
            self._has_reported = True
            warnings.warn(Warnings.BW310.format(mismatched=mismatched, total=total, path=self.path), stacklevel=2)

    def _contexts(self) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        for file in _files(self.path, ".json", "SquadCorpus"):
            try:
                articles = srsly.read_json(file)["data"]
                for article in articles:
                    parts = [(part["context"], _checked(part["qas"])) for part in article["paragraphs"]]
                    for context, questions in [_joined(parts)] if self.join_paragraphs else parts:
                        size = self.max_questions or len(questions) or 1
                        for start in range(0, len(questions) or 1, size):
                            yield context, questions[start : start + size]
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise ValueError(Errors.BB311.format(path=file, error=f"{type(error).__name__}: {error}")) from error


class QuestionCorpus:
    """Yields an example per document of .spacy files, with what was asked on both sides and gold on the reference."""

    def __init__(self, path: Path | str | None, max_questions: int = 0, limit: int = 0) -> None:
        self.path = _given(path, "QuestionCorpus")
        self.max_questions = max_questions
        self.limit = limit

    def __call__(self, nlp: Language) -> Iterator[Example]:
        """Read the files once.

        nlp (Language): tokenizes the texts again, for the prediction.
        YIELDS (Example): the reference is the stored document, the prediction has its questions without gold.
        """
        install_question_extensions()
        _files(self.path, ".spacy", "QuestionCorpus")
        number = 0
        for example in Corpus(self.path)(nlp):
            for part in self._split(example):
                if self.limit and number >= self.limit:
                    return
                number += 1
                yield part

    def _split(self, example: Example) -> Iterator[Example]:
        questions = read_questions(example.reference)
        for name in ("choices", "masks"):
            value = example.reference._.get(name)
            if value is not None:
                example.predicted._.set(name, [_without_answer(item) for item in value])
        if not questions:
            yield example
            return
        size = self.max_questions or len(questions)
        for start in range(0, len(questions), size):
            chunk = questions[start : start + size]
            last = start + size >= len(questions)
            reference = example.reference if start == 0 and last else example.reference.copy()
            predicted = example.predicted if start == 0 and last else example.predicted.copy()
            reference._.questions = chunk
            predicted._.questions = without_gold(chunk)
            yield Example(predicted, reference)


def _given(path: Path | str | None, reader: str) -> Path:
    if path is None:
        raise ValueError(Errors.BB310.format(reader=reader, path=path))
    return Path(path)


def _files(path: Path, ending: str, reader: str) -> list[Path]:
    found = sorted(path.rglob(f"*{ending}")) if path.is_dir() else [path] if path.is_file() else []
    if not found:
        raise ValueError(Errors.BB310.format(reader=reader, path=str(path)))
    return found


def _example(reference: Doc, questions: Iterable[dict[str, Any]]) -> Example:
    install_question_extensions()
    questions = list(questions)
    predicted = reference.copy()
    reference._.questions = questions
    predicted._.questions = without_gold(questions)
    return Example(predicted, reference)


def _checked(questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for question in questions:
        question["question"], [answer["text"] for answer in question.get("answers") or ()]
    return questions


def _joined(parts: list[tuple[str, list[dict[str, Any]]]]) -> tuple[str, list[dict[str, Any]]]:
    """All contexts of an article as one, with the answers' offsets moved along."""
    joined: list[dict[str, Any]] = []
    offset = 0
    for context, questions in parts:
        for question in questions:
            moved = [
                {**answer, "answer_start": answer["answer_start"] + offset}
                if isinstance(answer.get("answer_start"), int) and answer["answer_start"] >= 0
                else answer
                for answer in question.get("answers") or ()
            ]
            joined.append({**question, "answers": moved} if question.get("answers") else question)
        offset += len(context) + len(PARAGRAPH_BREAK)
    return PARAGRAPH_BREAK.join(context for context, _ in parts), joined


def _without_answer(item: Any) -> Any:
    return {key: value for key, value in item.items() if key != "answer"} if isinstance(item, dict) else item
