"""What is kept of a document that was read, so that questions can follow without sending it again."""

from dataclasses import dataclass, field
from hashlib import sha256

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
    result (str | None): its annotations, without answers, as JSON: objects would take ten times as much memory, and
        nobody would know how much. None if only questions were asked.
    answers (dict[str, str]): answers by question, as JSON.
    """

    document: Document
    result: str | None = None
    answers: dict[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Length of the text and of all that was found. Unit: characters."""
        found = sum(len(question) + len(found) for question, found in self.answers.items())
        return len(self.document.text) + len(self.result or "") + found
