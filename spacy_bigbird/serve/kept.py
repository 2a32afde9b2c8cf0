"""Keeps documents that were read, so that questions can follow without sending them again."""

from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from ..files import Document


def identity(document: Document) -> str:
    """Get the id of a document.

    document (Document): the document.
    RETURNS (str): a hash of its text, pages and headings.
    """
    parts = [document.text, repr(document.pages), repr(document.headings)]
    return sha256("\0".join(parts).encode("utf8", "surrogatepass")).hexdigest()[:32]


@dataclass
class Kept:
    """A document and what was found in it.

    document (Document): text, pages and headings.
    result (dict[str, Any] | None): its annotations, without answers; None if only questions were asked.
    answers (dict[str, dict[str, Any]]): answers by question.
    """

    document: Document
    result: dict[str, Any] | None = None
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Its length. An answer counts as much as it is long. Unit: characters."""
        return len(self.document.text) + sum(len(question) + 500 for question in self.answers)


class KeptDocuments:
    """The documents that were used last, up to a total length.

    max_characters (int): the total length; 0 to keep none.
    """

    def __init__(self, max_characters: int) -> None:
        self.max_characters = max_characters
        self._kept: OrderedDict[tuple[str, str], Kept] = OrderedDict()

    def get(self, pipeline: str, key: str) -> Kept | None:
        """Get a document.

        pipeline (str): name of the pipeline that read it.
        key (str): id of the document.
        RETURNS (Kept | None): the document; None if it is not kept any more.
        """
        found = self._kept.get((pipeline, key))
        if found is not None:
            self._kept.move_to_end((pipeline, key))
        return found

    def put(self, pipeline: str, key: str, kept: Kept) -> None:
        """Keep a document, or what was added to it, and let go of those that were not used for the longest time.

        pipeline (str): name of the pipeline that read it.
        key (str): id of the document.
        kept (Kept): the document.
        """
        self._kept[pipeline, key] = kept
        self._kept.move_to_end((pipeline, key))
        while self._kept and self.characters > self.max_characters:
            self._kept.popitem(last=False)

    @property
    def characters(self) -> int:
        """The length of all documents."""
        return sum(kept.size for kept in self._kept.values())
