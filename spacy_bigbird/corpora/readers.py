"""Corpus readers for questions: SQuAD's JSON and .spacy files. Only the reference has the gold annotation."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import srsly
from spacy.language import Language
from spacy.training import Corpus, Example

from ..annotations.choices import drop_unusable
from ..annotations.questions import (
    as_question,
    as_whole_number,
    gold_spans,
    install_question_extensions,
    read_questions,
    without_gold,
)
from ..errors import Errors
from .broken_records import Problems

PARAGRAPH_BREAK = "\n\n"
# Which reader reads which kind of file, for those that are handed to another one. JSON lines may be called .json.
READERS = {
    ".spacy": "spacy.Corpus.v1 or, for questions, spacy-bigbird.QuestionCorpus.v1",
    ".jsonl": "spacy-bigbird.JsonlCorpus.v1",
    ".json": "spacy-bigbird.SquadCorpus.v1",
}
READS_TOO: dict[str, tuple[str, ...]] = {".spacy": (), ".jsonl": (".json",), ".json": ()}


def make_squad_corpus(
    path: Path | None, join_paragraphs: bool = False, max_questions: int = 0, limit: int = 0, strict: bool = False
) -> "SquadCorpus":
    """Create a reader of files in SQuAD's format.

    Registered as `spacy-bigbird.SquadCorpus.v1`, for `[corpora.train]` and `[corpora.dev]`.

    path (Path | None): a file in SQuAD's JSON format (1.1 or 2.0), or a folder of such files.
    join_paragraphs (bool): whether to join the paragraphs of an article into one document.
    max_questions (int): maximum number of questions per example; a document with more is repeated. 0 for no limit.
    limit (int): maximum number of examples; 0 for no limit.
    strict (bool): whether to raise an error for unusable data, instead of reporting it and leaving it out.
    RETURNS (SquadCorpus): the reader.
    RAISES ValueError: `path` is None.
    """
    return SquadCorpus(path, join_paragraphs=join_paragraphs, max_questions=max_questions, limit=limit, strict=strict)


def make_question_corpus(
    path: Path | None, max_questions: int = 0, limit: int = 0, strict: bool = False
) -> "QuestionCorpus":
    """Create a reader of .spacy files with questions, choices or masks.

    Registered as `spacy-bigbird.QuestionCorpus.v1`, for `[corpora.train]` and `[corpora.dev]`.

    path (Path | None): a .spacy file or a folder of them, stored with `DocBin(store_user_data=True)`. The documents
        have `doc._.questions` with answers, `doc._.choices` with the index of the correct option, or `doc._.masks`.
    max_questions (int): maximum number of questions per example; a document with more is repeated. 0 for no limit.
    limit (int): maximum number of examples; 0 for no limit.
    strict (bool): whether to raise an error for unusable data, instead of reporting it and leaving it out.
    RETURNS (QuestionCorpus): the reader.
    RAISES ValueError: `path` is None.
    """
    return QuestionCorpus(path, max_questions=max_questions, limit=limit, strict=strict)


def is_unicode(text: str) -> bool:
    """Check if a text from JSON can be encoded as UTF-8.

    text (str): the text.
    RETURNS (bool): False if it contains half of a surrogate pair.
    """
    try:
        text.encode("utf8")
    except UnicodeEncodeError:
        return False
    return True


class SquadCorpus:
    """Reads SQuAD files and yields one example per context, with its questions. See `make_squad_corpus`."""

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


class QuestionCorpus:
    """Reads .spacy files and yields one example per document, with what is asked on both documents and gold annotation
    on the reference only. See `make_question_corpus`.
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


def given_path(path: Path | str | None, reader: str) -> Path:
    """Check that a reader was given a path.

    path (Path | str | None): the path.
    reader (str): name of the reader, for the message.
    RETURNS (Path): the path.
    RAISES ValueError: the path is None.
    """
    if path is None:
        raise ValueError(Errors.BB310.format(reader=reader, path=path))
    return Path(path)


def find_files(path: Path, ending: str, reader: str) -> list[Path]:
    """Find the files to read.

    path (Path): a file, or a folder, which is searched recursively.
    ending (str): ending of the files in a folder.
    reader (str): name of the reader, for the message.
    RETURNS (list[Path]): the file, or the files of the folder, sorted.
    RAISES ValueError: there are none, or they are of a kind that another reader reads.
    """
    found = sorted(path.rglob(f"*{ending}")) if path.is_dir() else [path] if path.is_file() else []
    if found and not (path.is_file() and path.suffix in READERS and path.suffix not in (ending, *READS_TOO[ending])):
        return found
    inside = sorted({file.suffix for file in path.rglob("*")} & set(READERS)) if path.is_dir() else [path.suffix]
    if inside and inside[0] in READERS and path.exists():
        raise ValueError(
            Errors.BB661.format(reader=reader, ending=ending, path=path, found=inside[0], other=READERS[inside[0]])
        )
    raise ValueError(Errors.BB310.format(reader=reader, path=str(path)))


def set_questions(example: Example, questions: list[dict[str, Any]]) -> None:
    """Set questions on both documents of an example, but their gold annotation on the reference only.

    example (Example): the example, modified in place.
    questions (list[dict[str, Any]]): questions, shaped like SQuAD's.
    """
    install_question_extensions()
    example.reference._.questions = questions
    example.predicted._.questions = without_gold(questions)


def check_answers(questions: list[dict[str, Any]], text: str, where: str, problems: Problems) -> list[dict[str, Any]]:
    """Report answers that are not at their offset. They are kept, because scoring compares answers by their text.

    questions (list[dict[str, Any]]): the questions of a document.
    text (str): text of the document.
    where (str): its place in the corpus.
    problems (Problems): collects what is wrong.
    RETURNS (list[dict[str, Any]]): the same questions.
    """
    for question in questions:
        for answer in question.get("answers") or ():
            problems.seen("answers")
            if as_whole_number(answer.get("answer_start")) is None:
                problems.add("answers", "have no answer_start that is a whole number", where, answer)
            elif gold_spans({**question, "answers": [answer]}, text)[1]:
                problems.add("answers", "are not at their answer_start", where, answer)
    return questions


def usable_questions(questions: Iterable[Any], where: str, problems: Problems) -> list[dict[str, Any]]:
    """Leave out questions that have no text, or whose answers are not in SQuAD's form.

    questions (Iterable[Any]): the questions, as in the corpus.
    where (str): their place in the corpus.
    problems (Problems): collects what is wrong.
    RETURNS (list[dict[str, Any]]): the remaining questions.
    """
    found = []
    for question in questions:
        problems.seen("questions")
        try:
            usable = as_question(question)
        except (ValueError, KeyError, TypeError):
            usable = {"question": ""}
        if not usable["question"].strip():
            problems.add("questions", "have no text, or an answer without text", where, question)
        elif "answer" in usable and usable.get("answers") is None:
            problems.add("questions", "have `answer` instead of SQuAD's `answers`", where, question)
        else:
            found.append(usable)
    return found


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


def _without_answer(item: Any) -> Any:
    return {key: value for key, value in item.items() if key != "answer"} if isinstance(item, dict) else item
