"""The outline of a document: the headings that its file marks, or else lines that look like headings."""

import re

from .document import Document, Heading

LONGEST_HEADING = 100
WORD = "article|section|chapter|part|schedule|exhibit|annex|appendix|book|volume|title"
# What follows the number is a title or nothing: "Section 5 of the Agreement" goes on as a sentence does.
NAMED = re.compile(rf"(?P<word>(?i:{WORD}))\s+([IVXLC]+|\d+(\.\d+)*|[A-Z])(?=[^\w,;]*($|[A-Z])).*(?<![,;])$")
NUMBERED = re.compile(r"(?P<number>\d{1,3}(\.\d{1,3})*|[IVXLC]{1,6})[.)]?\s+(?P<title>[A-Z][^.;]*)\.?$")
CAPITALS = re.compile(r"(?=.*[A-Z]{4})[A-Z0-9 ,.&'’()/:–—-]+$")
TOP_WORDS = {"part", "book", "volume"}


def outline(document: Document) -> list[Heading]:
    """Find the headings of a document.

    document (Document): the document.
    RETURNS (list[Heading]): the headings that the file marks; if it marks none, short lines that are numbered
        ("12.3 Term"), named ("ARTICLE IV") or in capitals, in English documents.
    """
    if document.headings:
        return list(document.headings)
    found, position, before = [], 0, ""
    for line in document.text.splitlines(keepends=True):
        title = line.strip()
        level = _level(title, follows_empty=not before.strip()) if len(title) <= LONGEST_HEADING else 0
        if level:
            found.append(Heading(position + len(line) - len(line.lstrip()), level, " ".join(title.split())))
        before = line
        position += len(line)
    return found


def _level(title: str, follows_empty: bool) -> int:
    """Level of a line as a heading; 0 for other lines."""
    named = NAMED.match(title)
    if named and (named["word"].isupper() or named["word"].istitle()):
        return 1 if named["word"].lower() in TOP_WORDS or named["word"].isupper() else 2
    numbered = NUMBERED.match(title)
    if numbered and len(numbered["title"].split()) <= 12:
        return 2 + numbered["number"].count(".")
    return 1 if follows_empty and CAPITALS.match(title) and len(title.split()) <= 12 else 0
