"""Reads .spacy files with questions, choices or masks. Only the reference has the gold annotation."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.training import Corpus, Example

from ..annotations.choices import drop_unusable_choices
from ..annotations.masks import drop_unusable_masks
from ..annotations.questions import install_question_extensions, read_questions, without_gold
from .broken_records import Problems
from .kinds_of_files import find_files, given_path
from .usable_questions import check_answers, usable_questions


class QuestionCorpus:
    """Reads .spacy files and yields one example per document, with what is asked on both documents and gold annotation
    on the reference only. See `readers.make_question_corpus`.
    """

    def __init__(
        self, path: Path | str | None, *, max_questions: int = 0, limit: int = 0, strict: bool = False
    ) -> None:
        self.path = given_path(path, "QuestionCorpus")
        self.max_questions = max_questions
        self.limit = limit
        self.strict = strict
        self._has_reported = False

    def __call__(self, nlp: Language) -> Iterator[Example]:
        """Read the files once.

        nlp (Language): the pipeline, which tokenizes the texts again for the predicted document.
        YIELDS (Example): examples with the stored document as reference. The predicted document has its questions
            without gold annotation.
        RAISES ValueError: there is no file, or `strict` is set and some data is unusable or an answer is not at its
            offset.
        """
        install_question_extensions()
        find_files(self.path, ".spacy", "QuestionCorpus")
        problems = Problems(self.path, self.strict)
        documents = enumerate(Corpus(self.path)(nlp))
        parts = ((place, part) for place, example in documents for part in self._split(example, place, problems))
        for number, (place, part) in enumerate(parts):
            if self.limit and number >= self.limit:
                break
            check_answers(read_questions(part.reference), part.reference.text, f"document {place}", problems)
            yield part
        if not self._has_reported:
            self._has_reported = True
            problems.report()

    def _split(self, example: Example, place: int, problems: Problems) -> Iterator[Example]:
        for drop_unusable in (drop_unusable_choices, drop_unusable_masks):
            drop_unusable(example.reference, f"document {place}", problems)
        given = example.reference._.questions
        listed = given if isinstance(given, (list, tuple)) else [] if given is None else [given]
        questions = usable_questions(listed, f"document {place}", problems)
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


def _without_answer(item: Any) -> Any:
    return {key: value for key, value in item.items() if key != "answer"} if isinstance(item, dict) else item
