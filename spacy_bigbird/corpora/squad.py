"""Reads files in SQuAD's JSON format. Only the reference has the gold annotation."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import srsly
from spacy.language import Language
from spacy.training import Example

from ..errors import Errors
from .broken_records import Problems
from .kinds_of_files import find_files, given_path
from .usable_questions import check_answers, is_unicode, set_questions, usable_questions

PARAGRAPH_BREAK = "\n\n"


class SquadCorpus:
    """Reads SQuAD files and yields one example per context, with its questions. See `readers.make_squad_corpus`."""

    def __init__(
        self,
        path: Path | str | None,
        *,
        join_paragraphs: bool = False,
        max_questions: int = 0,
        limit: int = 0,
        strict: bool = False,
    ) -> None:
        self.path = given_path(path, "SquadCorpus")
        self.join_paragraphs = join_paragraphs
        self.max_questions = max_questions
        self.limit = limit
        self.strict = strict
        self._has_reported = False

    def __call__(self, nlp: Language) -> Iterator[Example]:
        """Read the files once.

        nlp (Language): the pipeline, which tokenizes the contexts.
        YIELDS (Example): examples with the questions on both documents, but gold annotation on the reference only.
        RAISES ValueError: there is no file, a file has another format, or `strict` is set and some data is unusable.
        """
        problems = Problems(self.path, self.strict)
        number = 0
        for where, context, questions in self._contexts(problems):
            if self.limit and number >= self.limit:
                break
            if not is_unicode(context):
                problems.add("contexts", "have half a character (a lone surrogate)", where, repr(context))
                continue
            if len(context) > nlp.max_length:
                problems.add(
                    "contexts", f"have more than nlp.max_length = {nlp.max_length:,} characters", where, context
                )
                continue
            number += 1
            doc = nlp.make_doc(context)
            example = Example(doc.copy(), doc)
            set_questions(example, check_answers(questions, context, where, problems))
            yield example
        if not self._has_reported:
            self._has_reported = True
            problems.report()

    def _contexts(self, problems: Problems) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
        for file in find_files(self.path, ".json", "SquadCorpus"):
            try:
                # utf-8-sig accepts files with and without a byte order mark.
                content = srsly.json_loads(file.read_text(encoding="utf-8-sig"))
                for number, article in enumerate(content["data"]):
                    where = f"{file.name}, article {number}"
                    parts = []
                    for part in article["paragraphs"]:
                        if isinstance(part["context"], str):
                            parts.append((part["context"], usable_questions(part["qas"], where, problems)))
                        else:
                            problems.seen("contexts")
                            problems.add("contexts", "are not text", where, part["context"])
                    for context, questions in [_joined(parts)] if self.join_paragraphs and parts else parts:
                        problems.seen("contexts")
                        size = self.max_questions or len(questions) or 1
                        for start in range(0, len(questions) or 1, size):
                            yield where, context, questions[start : start + size]
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise ValueError(Errors.BB311.format(path=file, error=f"{type(error).__name__}: {error}")) from error


def _joined(parts: list[tuple[str, list[dict[str, Any]]]]) -> tuple[str, list[dict[str, Any]]]:
    """Join all contexts of an article, and shift the offsets of the answers accordingly."""
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
