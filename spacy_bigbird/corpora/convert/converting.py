"""From a file of an annotation tool to corpora for training, with a count of everything that was lost."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import spacy
from spacy.tokens import Doc

from ...annotations.questions import has_gold, read_questions
from ...errors import Errors
from ..broken_records import Problems
from .documents import make_doc, merged
from .formats import FORMATS, recognise
from .writing import WRITERS, split


@dataclass
class Report:
    """What a conversion did.

    format (str): name of the input's format.
    records (int): number of records in the input.
    merged (int): number of records that were added to an earlier one with the same text.
    files (dict[str, int]): number of documents in each file that was written.
    taken (dict[str, int]): number of documents, entities, spans, labels and questions that were written.
    labels (dict[str, int]): how often each label was written, most frequent first.
    problems (Problems): what was left out, with examples.
    """

    format: str
    records: int
    merged: int
    files: dict[str, int]
    taken: dict[str, int]
    labels: dict[str, int]
    problems: Problems = field(repr=False)


def convert(
    source: Path | str,
    output: Path | str,
    *,
    from_format: str | None = None,
    to_format: str | None = None,
    lang: str = "en",
    spans_key: str | None = None,
    shares: tuple[int, ...] = (),
    seed: int = 0,
) -> Report:
    """Convert annotations to a corpus.

    source (Path | str): the input, a file or a folder.
    output (Path | str): the file to write, or with `shares` the folder for train, dev and test.
    from_format (str | None): name of the input's format; None to recognise it.
    to_format (str | None): "spacy", "jsonl" or "conll"; None to go by the ending of `output`, or else "spacy".
    lang (str): language of the tokenizer.
    spans_key (str | None): key in `doc.spans` for the spans; None to make them entities, which cannot overlap.
    shares (tuple[int, ...]): two or three shares in percent, for train, dev and test; empty for a single file.
    seed (int): decides which documents come into which part.
    RETURNS (Report): what was done.
    RAISES ValueError: the input cannot be read, contains no document, or an argument is not allowed.
    """
    source, output = Path(source), Path(output)
    ending = output.suffix.lstrip(".")
    target = to_format or (ending if ending in WRITERS and not shares else "spacy")
    for name, known in ((from_format, FORMATS), (target, WRITERS)):
        if name is not None and name not in known:
            raise ValueError(Errors.BB512.format(name=name, names=", ".join(known)))
    if not source.exists():
        raise ValueError(Errors.BB505.format(path=source, names=", ".join(FORMATS)))
    chosen = FORMATS[from_format] if from_format else recognise(source)
    try:
        nlp = spacy.blank(lang)
    except ImportError as error:
        raise ValueError(Errors.BB322.format(lang=lang, reason=str(error).rstrip("."))) from error
    problems = Problems(source)
    try:
        records, number_merged = merged(chosen.read(source, problems))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(Errors.BB507.format(path=source, name=chosen.name, reason=error)) from error
    if not records:
        raise ValueError(Errors.BB513.format(path=source, name=chosen.name, report=problems))
    # Before anything is written, so that shares that cannot be met leave no file.
    parts = dict(split([record.source or record.text for record in records], shares, seed)) if shares else {}
    docs = [make_doc(nlp, record, spans_key, problems) for record in records]
    written = {output / f"{part}.{target}": [docs[i] for i in numbers] for part, numbers in parts.items()}
    for path, part in (written or {output: docs}).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        WRITERS[target](part, path)
    labels = Counter(label for doc in docs for label in _labels(doc))
    return Report(
        format=chosen.name,
        records=problems.totals["records"],
        merged=number_merged,
        files={str(path): len(part) for path, part in (written or {output: docs}).items()},
        taken=_counts(docs),
        labels=dict(labels.most_common()),
        problems=problems,
    )


def _labels(doc: Doc) -> list[str]:
    spans = [span.label_ for group in doc.spans.values() for span in group]
    return [*(ent.label_ for ent in doc.ents), *spans, *(label for label, value in doc.cats.items() if value >= 0.5)]


def _counts(docs: list[Doc]) -> dict[str, int]:
    questions = [question for doc in docs for question in read_questions(doc)]
    found = {
        "documents": len(docs),
        "entities": sum(len(doc.ents) for doc in docs),
        "spans": sum(len(group) for doc in docs for group in doc.spans.values()),
        "document labels": sum(len(doc.cats) for doc in docs),
        "questions": len(questions),
        "answered questions": sum(map(has_gold, questions)),
    }
    return {kind: number for kind, number in found.items() if number}
