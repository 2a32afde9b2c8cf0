"""Runs a pipeline over records, in batches that depend on nothing but the records, and survives those that fail."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import Errors
from ..thinc_layers.grouping import group_by_size
from .inputs import Fields, Record
from .outputs import FORMATS
from .plan import estimate_pieces

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

LONGEST_REASON = 500


@dataclass(frozen=True)
class Settings:
    """What the results depend on, apart from inputs and pipeline.

    format (str): "jsonl", "spacy" or "parquet".
    questions (tuple[str, ...]): questions to ask about every document, before those of its own.
    vectors (bool): whether to write vectors: one of each document, in .spacy files one of each piece.
    text (bool): whether to write the texts too, which .spacy files always contain.
    text_field (str): where the text is, in JSON lines and Parquet.
    one_per_line (bool): whether each line of a .txt file is a document.
    shard_pieces (int): maximum size of an output file. Unit: estimated pieces.
    batch_pieces (int): maximum size of a batch of documents. Unit: estimated pieces.
    max_length (int): documents that are longer count as failed. Unit: characters.
    """

    format: str = "jsonl"
    questions: tuple[str, ...] = ()
    vectors: bool = False
    text: bool = False
    text_field: str = "text"
    one_per_line: bool = False
    shard_pieces: int = 100_000
    batch_pieces: int = 32_768
    max_length: int = 1_000_000

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ValueError(_not_allowed("format", self.format, " or ".join(FORMATS)))
        for name in ("shard_pieces", "batch_pieces", "max_length"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(_not_allowed(name, value, "a whole number of at least 1"))

    @property
    def fields(self) -> Fields:
        """Where the texts are."""
        return Fields(self.text_field, self.one_per_line)

    def to_dict(self) -> dict[str, Any]:
        """Get the settings as JSON stores them."""
        return {**asdict(self), "questions": list(self.questions)}


class Annotator:
    """A loaded pipeline that processes records.

    nlp (Language): the pipeline.
    name (str): where it was loaded from.
    settings (Settings): what is wanted.
    RAISES ValueError: the pipeline cannot do what is wanted.
    """

    def __init__(self, nlp: Language, name: str, settings: Settings) -> None:
        self.settings = settings
        self.nlp = nlp
        self.nlp.max_length = settings.max_length
        check_abilities(self.nlp, name, settings)

    def annotate(self, records: Iterable[Record]) -> Iterator[tuple[Record, Doc | None, str]]:
        """Process records. Those that fail do not affect the others.

        records (Iterable[Record]): the records.
        YIELDS (tuple[Record, Doc | None, str]): each record, in order, with its document, or why there is none.
        """
        for group in group_by_size(records, self._pieces, self.settings.batch_pieces):
            for start in range(0, len(group), self.nlp.batch_size):
                yield from self._annotate_batch(group[start : start + self.nlp.batch_size])

    def _pieces(self, record: Record) -> int:
        return estimate_pieces(record.size, len(self.settings.questions) + len(record.questions or ()))

    def _annotate_batch(self, batch: list[Record]) -> Iterator[tuple[Record, Doc | None, str]]:
        try:
            docs = list(self.nlp.pipe([self._make_doc(record) for record in batch], batch_size=len(batch)))
            if len(docs) == len(batch):
                for record, doc in zip(batch, docs, strict=True):
                    yield record, doc, ""
                return
            reason = "a component left the document out"
        except Exception as error:
            reason = describe_error(error)
        if len(batch) == 1:
            yield batch[0], None, reason
            return
        # Stock components raise an error for a whole batch. One by one, only those that fail are lost.
        for record in batch:
            yield from self._annotate_batch([record])

    def _make_doc(self, record: Record) -> Doc:
        length = len(record.text)
        if length > self.settings.max_length:
            raise ValueError(Errors.BB414.format(length=length, limit=self.settings.max_length))
        # A copy, because a component that failed may have left something behind on the document.
        doc = record.doc.copy() if record.doc is not None else self.nlp.make_doc(record.text)
        asked = [*self.settings.questions, *(record.questions or ())]
        if asked and doc.has_extension("questions"):
            doc._.questions = [*asked, *(doc._.questions or ())]
        return doc


def check_abilities(nlp: Language, name: str, settings: Settings) -> None:
    """Check that a pipeline can do what is wanted.

    RAISES ValueError: there are questions but nothing that answers, or vectors are wanted but there are none.
    """
    factories = {pipe: nlp.get_pipe_meta(pipe).factory for pipe in nlp.pipe_names}
    if settings.questions and "bigbird_span_qa" not in factories.values():
        raise ValueError(Errors.BB413.format(name=name, found=nlp.pipe_names))
    if settings.vectors:
        encoders: list[Any] = [
            nlp.get_pipe(pipe) for pipe, factory in factories.items() if factory in ("bigbird", "transformer")
        ]
        for encoder in encoders:
            if getattr(encoder, "keep_vectors", None) == "none":
                encoder.keep_vectors = "float32"
        if not encoders and not nlp.vocab.vectors_length:
            raise ValueError(Errors.BB411.format(name=name))


def pipeline_folder(name: str) -> Path:
    """Find the folder of a pipeline.

    name (str): a folder or a package.
    RETURNS (Path): the folder.
    RAISES ValueError: there is no such pipeline.
    """
    from spacy.util import get_package_path, is_package

    if Path(name).is_dir():
        return Path(name)
    if is_package(name):
        return get_package_path(name)
    raise ValueError(
        Errors.BB400.format(
            given=name, found="there is no such pipeline", expected="a folder that nlp.to_disk wrote, or a package"
        )
    )


def pipeline_digest(name: str) -> str:
    """Compute a digest of a pipeline's files. RETURNS (str): the digest."""
    folder = pipeline_folder(name)
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(f"{path.relative_to(folder).as_posix()}\n{path.stat().st_size}\n".encode())
            with path.open("rb") as file:
                while block := file.read(1 << 22):
                    digest.update(block)
    return digest.hexdigest()


def describe_error(error: BaseException) -> str:
    """Get the kind and message of an error, on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:LONGEST_REASON]


def failure_of(record: Record, reason: str) -> dict[str, Any]:
    """Get the line about a record in failures.jsonl."""
    return {"id": record.id, "source": record.source, "number": record.number, "reason": reason}


def _not_allowed(name: str, value: Any, expected: Sequence[str] | str) -> str:
    return Errors.BB410.format(name=f"--{name.replace('_', '-')}", value=value, expected=expected)
