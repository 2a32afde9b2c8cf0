"""Reads EPUB: its chapters, in the order of reading."""

import posixpath
from io import BytesIO
from urllib.parse import unquote
from zipfile import ZipFile

from ..errors import Errors
from .document import Document, DocumentBuilder, UnreadableError
from .html import add_page
from .zipped import check_size

CONTAINER = "META-INF/container.xml"
ENCRYPTION = "META-INF/encryption.xml"


def read(data: bytes, name: str) -> Document:
    """Read a book. It has chapters instead of pages.

    data (bytes): the file.
    name (str): its name, for messages.
    RETURNS (Document): the document.
    RAISES UnreadableError: the chapters are encrypted.
    """
    check_size(data, name)
    builder = DocumentBuilder()
    with ZipFile(BytesIO(data)) as book:
        chapters = _chapters(book)
        if ENCRYPTION in book.namelist():
            # Fonts are often scrambled; that does not matter here.
            encrypted = {unquote(uri) for uri in _xml(book, ENCRYPTION).xpath("//@URI")}
            if encrypted & set(chapters):
                raise UnreadableError(Errors.BB490.format(name=name))
        for chapter in chapters:
            add_page(book.read(chapter), builder)
            builder.gap("\n\n")
    return builder.build()


def _chapters(book: ZipFile) -> list[str]:
    package = _xml(book, CONTAINER).xpath("string(//*[local-name()='rootfile']/@full-path)")
    tree = _xml(book, package)
    places = {item.get("id"): item.get("href") for item in tree.xpath("//*[local-name()='manifest']/*")}
    order = tree.xpath("//*[local-name()='spine']/*[local-name()='itemref']/@idref")
    folder = posixpath.dirname(package)
    found = [posixpath.normpath(posixpath.join(folder, unquote(places[one]))) for one in order]
    return [chapter for chapter in found if chapter in book.namelist()]


def _xml(book: ZipFile, name: str):
    from lxml import etree

    # Entities stay unresolved: a book has no business to read other files, or to grow without end.
    return etree.fromstring(book.read(name), etree.XMLParser(resolve_entities=False, no_network=True))
