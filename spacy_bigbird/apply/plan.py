"""The fixed division of the inputs into shards of similar work, which depends on nothing but the inputs."""

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from ..corpora.batchers import CHARACTERS_PER_PIECE, SPECIAL_PIECES
from ..errors import Errors
from ..thinc_layers.grouping import group_by_size
from .inputs import Fields, Item, reader_of

DIGEST_BYTES = 16


class Entry(NamedTuple):
    """A document in the plan.

    file (int): number of its file.
    record (int): its number in the file, from 1.
    offset (int): where it starts in a file of lines. Unit: bytes.
    pieces (int): estimated number of pieces.
    digest (bytes): digest of its content.
    """

    file: int
    record: int
    offset: int
    pieces: int
    digest: bytes


class Part(NamedTuple):
    """Consecutive documents of one file: the file, the first one's number and offset, and how many there are."""

    file: int
    record: int
    offset: int
    documents: int


@dataclass(frozen=True)
class Shard:
    """What is processed and written as a whole.

    number (int): its number, from 0.
    parts (tuple[Part, ...]): where its documents are, in order.
    documents (int): how many there are.
    pieces (int): their estimated number of pieces.
    largest (int): the estimated number of pieces of the largest one.
    digest (str): digest of their contents.
    """

    number: int
    parts: tuple[Part, ...]
    documents: int
    pieces: int
    largest: int
    digest: str

    @classmethod
    def of(cls, number: int, entries: Sequence[Entry]) -> "Shard":
        """Make a shard of consecutive documents."""
        parts = []
        for file, inside in groupby(entries, key=lambda entry: entry.file):
            first, *rest = inside
            parts.append(Part(file, first.record, first.offset, 1 + len(rest)))
        pieces = [entry.pieces for entry in entries]
        digest = combined_digest(entry.digest for entry in entries)
        return cls(number, tuple(parts), len(entries), sum(pieces), max(pieces), digest)

    def to_json(self) -> str:
        """Write as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> "Shard":
        """Read what `to_json` wrote."""
        values = json.loads(line)
        return cls(**{**values, "parts": tuple(Part(*part) for part in values["parts"])})


@dataclass
class Plan:
    """The inputs of a run, divided.

    files (list[str]): the files, in order.
    sizes (list[int]): their sizes. Unit: bytes.
    shards (list[Shard]): the shards, in the order of their documents.
    """

    files: list[str]
    sizes: list[int]
    shards: list[Shard]

    @property
    def documents(self) -> int:
        """Number of documents."""
        return sum(shard.documents for shard in self.shards)

    @property
    def pieces(self) -> int:
        """Estimated number of pieces of all documents."""
        return sum(shard.pieces for shard in self.shards)

    @property
    def largest(self) -> int:
        """Estimated number of pieces of the largest document."""
        return max((shard.largest for shard in self.shards), default=0)

    def to_bytes(self) -> bytes:
        """Write the shards, one a line."""
        return "".join(shard.to_json() + "\n" for shard in self.shards).encode()

    @classmethod
    def load(cls, path: Path, files: Sequence[str], sizes: list[int]) -> "Plan":
        """Read what `to_bytes` wrote."""
        with path.open(encoding="utf8") as lines:
            return cls(list(files), sizes, [Shard.from_json(line) for line in lines])


def estimate_pieces(size: int, times: int = 1) -> int:
    """Estimate the pieces of a text from its length, at no cost, so that plans do not depend on the pipeline.

    size (int): length of the text. Unit: bytes of UTF-8, so that writing systems with longer characters count more.
    times (int): how often it is encoded: once per question.
    RETURNS (int): number of pieces.
    """
    return (round(size / CHARACTERS_PER_PIECE) + SPECIAL_PIECES) * max(1, times)


def combined_digest(digests: Iterable[bytes]) -> str:
    """Combine the digests of documents to one."""
    return hashlib.blake2b(b"".join(digests), digest_size=DIGEST_BYTES).hexdigest()


def make_plan(
    files: Sequence[str], fields: Fields, *, shard_pieces: int, times: int = 1, show_progress: bool = False
) -> Plan:
    """Read all inputs once and divide them into shards.

    A shard has consecutive documents of at most `shard_pieces`; a longer document is a shard of its own.

    files (Sequence[str]): the files, in order.
    fields (Fields): where the texts are.
    shard_pieces (int): maximum size of a shard. Unit: estimated pieces.
    times (int): how often each document is encoded.
    show_progress (bool): whether to show a bar on standard error.
    RETURNS (Plan): the plan.
    RAISES ValueError: some files cannot be read; all of them are named.
    """
    sizes = [os.path.getsize(file) for file in files]
    problems: list[str] = []
    bar = tqdm(total=sum(sizes), unit="B", unit_scale=True, desc="Planning", disable=not show_progress, file=sys.stderr)

    def entries() -> Iterator[Entry]:
        for number, file in enumerate(files):
            try:
                for item in reader_of(file, fields).items(Path(file), fields, 1, 0):
                    yield _entry(number, item, times)
            except ImportError:
                raise
            except Exception as error:  # for a damaged file, the underlying libraries raise nearly anything
                problems.append(f"{file}: {error or type(error).__name__}")
            bar.update(sizes[number])

    with bar:
        groups = group_by_size(entries(), lambda entry: entry.pieces, shard_pieces)
        shards = [Shard.of(number, group) for number, group in enumerate(groups)]
    if problems:
        shown = "\n".join(problems[:20] + ([f"... and {len(problems) - 20} more"] if len(problems) > 20 else []))
        raise ValueError(Errors.BB401.format(problems=shown))
    return Plan(list(files), sizes, shards)


def schedule(shards: Iterable[Shard], shard_pieces: int) -> list[Shard]:
    """Order shards so that none that takes long is left for the end.

    shards (Iterable[Shard]): the shards that are to be done.
    shard_pieces (int): the size that only single documents exceed.
    RETURNS (list[Shard]): those of long documents, the longest first, then the others in the order of the inputs.
    """
    return sorted(shards, key=lambda shard: (-shard.pieces if shard.pieces > shard_pieces else 0, shard.number))


def _entry(file: int, item: Item, times: int) -> Entry:
    return Entry(file, item.number, item.offset, estimate_pieces(item.size, times), item.digest)


def as_dict(plan: Plan) -> dict[str, Any]:
    """Get what to show of a plan."""
    return {
        "files": len(plan.files),
        "bytes": sum(plan.sizes),
        "documents": plan.documents,
        "pieces": plan.pieces,
        "shards": len(plan.shards),
        "largest_document": plan.largest,
    }
