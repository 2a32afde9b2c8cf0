"""What is read from a file: its text, where its pages begin, and its headings."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

# From weak to strong: of several separators asked for between two texts, the strongest is written.
GAPS = ("", " ", "\t", "\n", "\n\n")


class UnreadableError(ValueError):
    """A file cannot be read. The message names it and says why."""


class Heading(NamedTuple):
    """A heading of a document.

    start (int): where it begins in the text. Unit: characters.
    level (int): 1 for chapters, 2 for sections in them, and so on.
    title (str): its text.
    """

    start: int
    level: int
    title: str


@dataclass(frozen=True)
class Document:
    """The text of a file.

    text (str): the text. All offsets are in its characters.
    pages (tuple[int, ...]): where each page begins; empty if the format has no pages.
    headings (tuple[Heading, ...]): the headings that the file marks as such, in order.
    """

    text: str
    pages: tuple[int, ...] = ()
    headings: tuple[Heading, ...] = ()

    def page_of(self, offset: int) -> int | None:
        """Get the page on which a character stands.

        offset (int): position in the text. Unit: characters.
        RETURNS (int | None): number of the page, from 1; None if the format has no pages.
        """
        return max(1, bisect_right(self.pages, offset)) if self.pages else None


class DocumentBuilder:
    """Puts a document together from stretches of text, with as much space between them as the formatting asks for."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._gap = ""
        self._pages: list[int] = []
        self._new_pages = 0
        self._headings: list[Heading] = []

    def text(self, text: str) -> None:
        """Add text in which any series of spaces and line breaks counts as one space, as in HTML.

        text (str): the text.
        """
        words = re.sub(r"[ \t\r\n\f]+", " ", text)
        if words.startswith(" "):
            self.gap(" ")
        self.verbatim(words.strip(" "))
        if words.endswith(" "):
            self.gap(" ")

    def verbatim(self, text: str) -> None:
        """Add text as it is.

        text (str): the text.
        """
        if not text:
            return
        # Nothing separates the first text from the beginning.
        self._append(self._gap if self._length else "")
        self._gap = ""
        self._pages += [self._length] * self._new_pages
        self._new_pages = 0
        self._append(text)

    def gap(self, separator: str) -> None:
        """Ask for space before the next text.

        separator (str): one of GAPS.
        """
        self._gap = max(self._gap, separator, key=GAPS.index)

    def page(self) -> None:
        """Begin a page with the next text."""
        self._new_pages += 1

    @contextmanager
    def heading(self, level: int) -> Iterator[None]:
        """Make everything that is added inside the `with` block a heading.

        level (int): its level, from 1.
        """
        parts, before = len(self._parts), self._length
        yield
        added = "".join(self._parts[parts:])
        if added.strip():
            start = before + len(added) - len(added.lstrip())
            self._headings.append(Heading(start, level, " ".join(added.split())))

    def build(self) -> Document:
        """Put the document together.

        RETURNS (Document): the document.
        """
        pages = [*self._pages, *[self._length] * self._new_pages]
        return Document("".join(self._parts), tuple(pages), tuple(self._headings))

    def _append(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)
