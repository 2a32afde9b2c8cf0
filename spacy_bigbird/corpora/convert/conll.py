"""Columns of tokens and tags (CoNLL 2003 and the like), read by spaCy's own converter."""

import re
from collections.abc import Iterator
from pathlib import Path

from spacy.tokens import Doc
from spacy.training.converters import conll_ner_to_docs

from ...errors import Errors
from ..broken_records import Problems
from .record import Format, Record, Sample, files_of

ENDINGS = (".conll", ".iob", ".bio", ".tsv")
TAGGED = re.compile(r"\S+([ \t]+\S+)*[ \t]+(O|[BILUSE]-\S+)[ \t]*$")
DELIMITER = "-DOCSTART- -X- O O"


def recognises(sample: Sample) -> bool:
    """Whether it is in columns: the first lines end with tags."""
    lines = [line for line in sample.beginning.splitlines()[:-1] if line.strip() and not line.startswith("-DOCSTART-")]
    return bool(lines) and all(TAGGED.match(line) for line in lines[:20])


def read(path: Path, problems: Problems) -> Iterator[Record]:
    """Read documents. Arguments and result as in `Format.read`.

    A file without -DOCSTART- lines is one document, since long documents are what this package is for.
    """
    for file in files_of(path, *ENDINGS):
        content = file.read_text(encoding="utf-8-sig")
        content = re.sub(r"^-DOCSTART-.*$", f"\n{DELIMITER}\n", content, flags=re.MULTILINE)
        content = re.sub(r"\n[ \t]*\n\s*", "\n\n", content)
        try:
            for number, doc in enumerate(conll_ner_to_docs(content, n_sents=0, no_print=True), start=1):
                problems.seen("records")
                yield as_record(doc, f"{file.name}, document {number}")
        except ValueError as error:
            raise ValueError(Errors.BB507.format(path=file, name="conll", reason=error)) from error


def as_record(doc: Doc, where: str) -> Record:
    """Make a record of a document of spaCy.

    doc (Doc): the document, with its entities.
    where (str): its place.
    RETURNS (Record): the record, with the document's tokens.
    """
    words = [token.text for token in doc]
    plain = Doc(doc.vocab, words=words)
    spans = [plain[ent.start : ent.end] for ent in doc.ents]
    marks = [[span.start_char, span.end_char, ent.label_] for span, ent in zip(spans, doc.ents, strict=True)]
    return Record(plain.text, where, marks=marks, words=words)


FORMAT = Format("conll", recognises, read)
