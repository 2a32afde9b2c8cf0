"""The documents to apply a pipeline to, of every kind of file, one at a time and from any position."""

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from .. import files
from ..corpora.text_files import COMPRESSED, decompressed, file_kind
from ..errors import Errors

SKIP_BYTES = 1 << 20
# Fonts and pictures take most of a PDF.
PDF_BYTES_PER_TEXT_BYTE = 10


@dataclass
class Record:
    """One document to process.

    id (str): its id, or its file (and number).
    source (str): the file, as it was given.
    number (int): number of the document in the file, from 1; the line of a file with one document per line.
    text (str): the text.
    questions (list | None): questions of its own.
    meta (dict | None): whatever else is to be kept with the results.
    doc (Doc | None): the document, if the file has documents rather than texts.
    size (int): approximate length of the text. Unit: bytes of UTF-8.
    pages (tuple[int, ...]): where its pages begin; empty if the format has no pages. Unit: characters.
    """

    id: str
    source: str
    number: int
    text: str
    questions: list[Any] | None = None
    meta: dict[str, Any] | None = None
    doc: Doc | None = None
    size: int = 0
    pages: tuple[int, ...] = ()


@dataclass(frozen=True)
class Fields:
    """Where a document is found in JSON lines and in tables, and what a text file is.

    text (str): the field with the text.
    one_per_line (bool): whether each line of a .txt file is a document, rather than the whole file.
    """

    text: str = "text"
    one_per_line: bool = False


class Item(NamedTuple):
    """A document as it stands in its file, not decoded yet.

    number (int): number of the document in the file, from 1.
    size (int): approximate length of the text. Unit: bytes.
    content (bytes): the bytes that identify it.
    offset (int): where it starts in a file of lines. Unit: bytes, decompressed.
    value (Any): what the reader needs to decode it.
    """

    number: int
    size: int
    content: bytes
    offset: int = 0
    value: Any = None

    @property
    def digest(self) -> bytes:
        """A digest of the content."""
        return hashlib.blake2b(self.content, digest_size=16).digest()


class TextReader:
    """A file that is one document."""

    def items(self, path: Path, fields: Fields, start: int, offset: int) -> Iterator[Item]:
        """Read the documents, beginning with number `start`, which is at `offset`."""
        with path.open("rb") as raw:
            content = decompressed(path, raw).read()
        yield Item(1, len(content), content)

    def record(self, item: Item, source: str, fields: Fields, vocab: Vocab) -> Record:
        """Decode a document. RAISES ValueError: it cannot be used."""
        return Record(source, source, item.number, _decoded(item.content))


class LineReader(TextReader):
    """A file with one text per line."""

    def items(self, path: Path, fields: Fields, start: int, offset: int) -> Iterator[Item]:
        """As in TextReader. Blank lines count in the numbers, but are no documents."""
        with path.open("rb") as raw:
            stream = decompressed(path, raw)
            if stream is raw:
                raw.seek(offset)
            else:
                _skip(stream, offset)
            for number, line in enumerate(stream, start=start):
                if line.strip():
                    yield Item(number, len(line), line, offset)
                offset += len(line)

    def record(self, item: Item, source: str, fields: Fields, vocab: Vocab) -> Record:
        """As in TextReader."""
        return Record(_default_id(source, item), source, item.number, _decoded(item.content).rstrip("\r\n"))


class JsonReader(LineReader):
    """A file with a JSON object per line."""

    def record(self, item: Item, source: str, fields: Fields, vocab: Vocab) -> Record:
        """As in TextReader."""
        try:
            row = json.loads(_decoded(item.content))
        except json.JSONDecodeError as error:
            raise ValueError(f"not JSON: {error}") from None
        return _from_row(row, item, source, fields)


class TableReader:
    """A Parquet file with a column of texts."""

    def items(self, path: Path, fields: Fields, start: int, offset: int) -> Iterator[Item]:
        """As in TextReader, skipping whole groups of rows."""
        table = parquet_module().ParquetFile(path)
        names = table.schema_arrow.names
        if fields.text not in names:
            raise ValueError(f"it has no column {fields.text!r}, only {', '.join(names)}")
        columns = [name for name in (fields.text, "id", "questions", "meta") if name in names]
        number, groups = 1, list(range(table.num_row_groups))
        while groups and number + table.metadata.row_group(groups[0]).num_rows <= start:
            number += table.metadata.row_group(groups.pop(0)).num_rows
        for batch in table.iter_batches(batch_size=64, row_groups=groups, columns=columns):
            for row in batch.to_pylist():
                if number >= start:
                    text = row.get(fields.text)
                    size = len(text.encode("utf8", "surrogatepass")) if isinstance(text, str) else 0
                    yield Item(number, size, json.dumps(row, default=str).encode(), 0, row)
                number += 1

    def record(self, item: Item, source: str, fields: Fields, vocab: Vocab) -> Record:
        """As in TextReader."""
        return _from_row(item.value, item, source, fields)


class DocReader:
    """A .spacy file, which is unpacked as a whole."""

    def items(self, path: Path, fields: Fields, start: int, offset: int) -> Iterator[Item]:
        """As in TextReader."""
        with path.open("rb") as raw:
            docs = DocBin(store_user_data=True).from_bytes(decompressed(path, raw).read())
        for index in range(start - 1, len(docs)):
            tokens = docs.tokens[index]
            # An English token takes about six bytes, with the following space.
            yield Item(index + 1, 6 * len(tokens), tokens.tobytes() + (docs.user_data[index] or b""), 0, docs)

    def record(self, item: Item, source: str, fields: Fields, vocab: Vocab) -> Record:
        """As in TextReader. Tokens and annotations are those of the file."""
        docs, index = item.value, item.number - 1
        one = DocBin(docs.attrs, store_user_data=True)
        one.attrs = docs.attrs
        for name in ("tokens", "spaces", "cats", "span_groups", "user_data", "flags"):
            setattr(one, name, [getattr(docs, name)[index]])
        # The strings of all documents are needed in the vocabulary once.
        one.strings, docs.strings = docs.strings, set()
        (doc,) = one.get_docs(vocab)
        return Record(str(doc.user_data.get("id", _default_id(source, item))), source, item.number, doc.text, doc=doc)


class FileReader(TextReader):
    """A document as people have them, such as a PDF or a Word file."""

    def items(self, path: Path, fields: Fields, start: int, offset: int) -> Iterator[Item]:
        """As in TextReader. How much text there is is only known once it is read, so the plan has a guess."""
        (item,) = super().items(path, fields, start, offset)
        is_pdf = file_kind(path) == ".pdf"
        yield item._replace(size=item.size // PDF_BYTES_PER_TEXT_BYTE if is_pdf else item.size)

    def record(self, item: Item, source: str, fields: Fields, vocab: Vocab) -> Record:
        """As in TextReader."""
        path = Path(source)
        read = files.read(path.stem if path.suffix in COMPRESSED else path, item.content)
        return Record(source, source, item.number, read.text, size=len(read.text.encode()), pages=read.pages)


# The place to add further kinds of files, each with a reader like those above.
READERS: dict[str, Any] = {
    **{ending: FileReader() for ending in files.ENDINGS},
    ".txt": TextReader(),
    ".jsonl": JsonReader(),
    ".ndjson": JsonReader(),
    ".spacy": DocReader(),
    ".parquet": TableReader(),
}
KINDS = ", ".join(READERS)


def reader_of(path: str | Path, fields: Fields) -> Any:
    """Get the reader of a file. RETURNS (Any): one of the readers above."""
    kind = file_kind(Path(path))
    return LineReader() if kind == ".txt" and fields.one_per_line else READERS[kind]


def parquet_module() -> Any:
    """Import pyarrow.parquet. RAISES ImportError: the package pyarrow is not installed."""
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(Errors.BB409.format(what="Parquet", package="pyarrow", extra="parquet")) from error
    return pyarrow.parquet


def read_questions_file(path: Path) -> list[str]:
    """Read one question per line.

    path (Path): a UTF-8 file.
    RETURNS (list[str]): the questions, without blank lines.
    RAISES ValueError: it cannot be read, or has no questions.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(Errors.BB320.format(path=path, reason=error)) from error
    questions = [line.strip() for line in lines if line.strip()]
    if not questions:
        raise ValueError(Errors.BB320.format(path=path, reason="it has no questions"))
    return questions


def _from_row(row: Any, item: Item, source: str, fields: Fields) -> Record:
    if not isinstance(row, dict) or not isinstance(row.get(fields.text), str):
        raise ValueError(f"no string under {fields.text!r}")
    given, questions, meta = row.get("id"), row.get("questions"), row.get("meta")
    name = _default_id(source, item) if given is None else str(given)
    asked = questions if isinstance(questions, list) else None
    return Record(name, source, item.number, row[fields.text], asked, meta if isinstance(meta, dict) else None)


def _default_id(source: str, item: Item) -> str:
    return f"{source}:{item.number}"


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8: {error}") from None


def _skip(stream: io.BufferedIOBase | Any, number: int) -> None:
    while number > 0:
        # Compressed files cannot be entered in the middle.
        number -= len(stream.read(min(SKIP_BYTES, number))) or number
