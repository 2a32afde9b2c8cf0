"""Reads plain text."""

import codecs

from ..errors import Errors
from .document import Document, UnreadableError

BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def read(data: bytes, name: str) -> Document:
    """Read plain text. Line breaks stay as they are, so that offsets are those of the file.

    data (bytes): UTF-8, or UTF-16 with a byte order mark, which is not part of the text.
    name (str): name of the file, for the message.
    RETURNS (Document): the document.
    RAISES UnreadableError: the data is not text in these encodings.
    """
    return Document(decode(data, name))


def decode(data: bytes, name: str) -> str:
    """Decode plain text. Arguments and errors as for `read`.

    RETURNS (str): the text.
    """
    encoding = next((value for mark, value in BYTE_ORDER_MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UnreadableError(Errors.BB495.format(name=name, reason=f"not {encoding.upper()}: {error}")) from error
    if "\0" in text:
        raise UnreadableError(Errors.BB495.format(name=name, reason="it contains zero bytes, as no text does"))
    return text
