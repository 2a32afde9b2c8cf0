"""Reads Markdown as the text that it is, and knows its headings."""

import re

from .document import Document, Heading
from .text import decode

FENCE = re.compile(r" {0,3}(```|~~~)")
HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")


def read(data: bytes, name: str) -> Document:
    """Read Markdown. The markup stays in the text, so that offsets are those of the file.

    data (bytes): the file.
    name (str): its name, for the message.
    RETURNS (Document): the document.
    RAISES UnreadableError: the data is not text.
    """
    text = decode(data, name)
    headings, position, in_code = [], 0, False
    for line in text.splitlines(keepends=True):
        in_code ^= bool(FENCE.match(line))
        found = None if in_code else HEADING.match(line.rstrip("\r\n"))
        if found:
            headings.append(Heading(position + found.start(2), len(found[1]), found[2]))
        position += len(line)
    return Document(text, headings=tuple(headings))
