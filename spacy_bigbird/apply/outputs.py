"""Files of results: each is complete or not there."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spacy.tokens import Doc, DocBin

from ..atomic import replace_file
from ..errors import Errors
from .inputs import Record, parquet_module
from .results import arrow_columns, row_of, typed

FORMATS = ("jsonl", "spacy", "parquet")
PART = "part"


class JsonWriter:
    """Collects results as JSON lines.

    has_vector, has_text (bool): whether the results contain a vector and the text.
    """

    def __init__(self, has_vector: bool, has_text: bool) -> None:
        self.wanted = {"has_vector": has_vector, "has_text": has_text}
        self.rows: list[dict[str, Any]] = []

    def add(self, record: Record, doc: Doc) -> None:
        """Add a processed document."""
        self.rows.append(row_of(record, doc, **self.wanted))

    def content(self) -> bytes:
        """Get the content of the file."""
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in self.rows).encode()


class TableWriter(JsonWriter):
    """Collects results as a Parquet file."""

    def content(self) -> bytes:
        """As in JsonWriter."""
        import pyarrow as pa

        places = [pa.field(name, pa.string()) for name in ("id", "source")]
        texts = [pa.field("text", pa.string())] if self.wanted["has_text"] else []
        fields = [*places, pa.field("number", pa.int64()), *texts, pa.field("meta", pa.string()), *arrow_columns()]
        rows = [typed(row) for row in self.rows]
        table = pa.Table.from_pylist(
            [{**row, **{name: list(row.get(name, {}).items()) for name in ("cats", "stats")}} for row in rows],
            schema=pa.schema(fields),
        )
        buffer = pa.BufferOutputStream()
        parquet_module().write_table(table, buffer)
        return buffer.getvalue().to_pybytes()


class DocWriter:
    """Collects results as spaCy's documents, with id, source and number in `doc.user_data`.

    has_vector (bool): whether to keep `doc._.trf_data`, with a vector of each piece.
    """

    def __init__(self, has_vector: bool, has_text: bool) -> None:
        self.has_vector = has_vector
        self.docs = DocBin(store_user_data=True)

    def add(self, record: Record, doc: Doc) -> None:
        """Add a processed document."""
        if not self.has_vector and Doc.has_extension("trf_data"):
            doc._.trf_data = None
        meta = {} if record.meta is None else {"meta": record.meta}
        doc.user_data.update({"id": record.id, "source": record.source, "number": record.number, **meta})
        self.docs.add(doc)

    def content(self) -> bytes:
        """As in JsonWriter."""
        return self.docs.to_bytes()


WRITERS: dict[str, Any] = {"jsonl": JsonWriter, "parquet": TableWriter, "spacy": DocWriter}


def part_name(number: int, format: str) -> str:
    """Get the name of the file with a shard's results."""
    return f"{PART}-{number:06d}.{format}"


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that it is complete or not there, whatever happens to this process or machine.

    path (Path): the file. An existing one is replaced.
    content (bytes): its content.
    RAISES OSError: it cannot be written; nothing is left of it.
    """
    try:
        replace_file(path, lambda temporary: temporary.write_bytes(content))
    except OSError as error:
        raise OSError(Errors.BB407.format(path=path, reason=error.strerror or error)) from error


def write_json(path: Path, value: Any) -> None:
    """Write a file of JSON in the same way."""
    write_bytes(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def write_lines(path: Path, rows: Sequence[Any]) -> None:
    """Write a file of JSON lines in the same way."""
    write_bytes(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())
