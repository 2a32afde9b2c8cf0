"""Reads PDF: the text of each page, with words joined again that are hyphenated at the end of a line."""

import logging
import re
import warnings
from io import BytesIO

from ..errors import Errors
from ..warnings import Warnings
from .document import Document, DocumentBuilder, UnreadableError

HYPHENATED = re.compile(r"(\w*[^\W\d_])([-\u2010\u00ad])[ \t]*\n[ \t]*([^\W\d_]\w*)")
# Printed forms of several letters in one, which no vocabulary knows.
LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "\0": None})

# Where nobody has set up logging, Python would print pypdf's remarks on damaged files, which name no file.
logging.getLogger("pypdf").addHandler(logging.NullHandler())


def read(data: bytes, name: str) -> Document:
    """Read a PDF. Its pages are separated by an empty line.

    data (bytes): the file.
    name (str): its name, for messages.
    RETURNS (Document): the document, with its pages.
    RAISES UnreadableError: the file is encrypted with a password, or none of its pages has text.
    """
    from pypdf import PdfReader

    reader = PdfReader(BytesIO(data))
    # A file that only restricts printing and the like opens without a password.
    if reader.is_encrypted and not reader.decrypt(""):
        raise UnreadableError(Errors.BB490.format(name=name))
    pages = [_clean(page.extract_text()) for page in reader.pages]
    empty = sum(not page for page in pages)
    if empty == len(pages):
        raise UnreadableError(Errors.BB491.format(name=name, pages=len(pages)))
    if empty:
        warnings.warn(Warnings.BW490.format(name=name, empty=empty, pages=len(pages)), stacklevel=2)
    words = {word.lower() for page in pages for word in re.findall(r"[^\W\d_][\w-]*", page)}
    builder = DocumentBuilder()
    for page in pages:
        builder.page()
        builder.verbatim(join_hyphenated(page, words))
        builder.gap("\n\n")
    return builder.build()


def join_hyphenated(text: str, words: set[str]) -> str:
    """Join words that are broken at the end of a line.

    text (str): the text of a page.
    words (set[str]): lower-cased words of the document. One that it writes with a hyphen elsewhere keeps its hyphen.
    RETURNS (str): the text, in which a joined word takes the place of its two halves and the line break.
    """

    def joined(match: re.Match[str]) -> str:
        first, hyphen, last = match.groups()
        if hyphen != "\u00ad" and not last[0].islower():
            return match[0]
        keeps_hyphen = f"{first}-{last}".lower() in words and f"{first}{last}".lower() not in words
        return f"{first}-{last}" if keeps_hyphen else first + last

    return HYPHENATED.sub(joined, text)


def _clean(text: str) -> str:
    # Damaged tables of characters give halves of surrogate pairs, which no encoding can store.
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").translate(LIGATURES)
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")
