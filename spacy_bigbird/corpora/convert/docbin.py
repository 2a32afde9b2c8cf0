"""spaCy's .spacy files, to turn them back into other formats."""

from collections.abc import Iterator
from pathlib import Path

import spacy
from spacy.tokens import DocBin

from ...annotations.questions import read_questions
from ...errors import Errors
from ..broken_records import Problems
from .record import Format, Record, Sample, files_of


def recognises(sample: Sample) -> bool:
    """Whether it is a .spacy file, or a folder of them."""
    path = sample.path
    return path.suffix == ".spacy" or (path.is_dir() and next(path.rglob("*.spacy"), None) is not None)


def read(path: Path, problems: Problems) -> Iterator[Record]:
    """Read documents. Arguments and result as in `Format.read`."""
    vocab = spacy.blank("xx").vocab
    for file in files_of(path, ".spacy"):
        try:
            docs = DocBin().from_disk(file)
        except Exception as error:
            raise ValueError(Errors.BB507.format(path=file, name="spacy", reason=error)) from error
        for number, doc in enumerate(docs.get_docs(vocab), start=1):
            problems.seen("records")
            marks = [[ent.start_char, ent.end_char, ent.label_] for ent in doc.ents]
            spans = {key: [[s.start_char, s.end_char, s.label_] for s in group] for key, group in doc.spans.items()}
            yield Record(
                doc.text,
                f"{file.name}, document {number}",
                marks=marks if doc.has_annotation("ENT_IOB") else None,
                cats=dict(doc.cats),
                questions=read_questions(doc),
                spans=spans,
            )


FORMAT = Format("spacy", recognises, read)
