"""Reads Word documents: paragraphs and tables in their order, as they read once tracked changes are accepted."""

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from ..errors import Errors
from .document import Document, DocumentBuilder, UnreadableError
from .zipped import check_size

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
# Old .doc files, and .docx files with a password, are in this older container.
OLE_SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# Deleted text is in other elements than w:t, but moved text is in both its old and its new place.
LEFT_OUT = {f"{W}moveFrom", f"{W}del", f"{W}pPr", f"{W}rPr", f"{W}txbxContent"}
CHARACTERS = {f"{W}tab": "\t", f"{W}cr": "\n", f"{W}noBreakHyphen": "-"}


def read(data: bytes, name: str) -> Document:
    """Read a Word document. Pages are those of its last printing or saving in Word, if it notes them.

    data (bytes): the file.
    name (str): its name, for messages.
    RETURNS (Document): the document. Footnotes, headers, footers and text boxes are left out.
    RAISES UnreadableError: the file is encrypted, or from Word 2003 or older.
    """
    import docx

    if data.startswith(OLE_SIGNATURE):
        raise UnreadableError(Errors.BB497.format(name=name))
    check_size(data, name)
    document = docx.Document(BytesIO(data))
    body = document.element.body
    levels = {style.style_id: _level(style.name or "") for style in document.styles}
    builder = DocumentBuilder()
    # Word notes where its pages began. Without that, the breaks that the author set are the best there is.
    rendered = f"{W}lastRenderedPageBreak"
    page_break = rendered if next(body.iter(rendered), None) is not None else f"{W}br"
    has_breaks = page_break == rendered or any(_is_page_break(one) for one in body.iter(page_break))
    if has_breaks:
        builder.page()
    for block in _blocks(body):
        _add_block(block, builder, levels, page_break)
        builder.gap("\n\n")
    return builder.build()


def _blocks(parent: Any) -> Iterator[Any]:
    """Yield paragraphs and tables, also those inside of content controls and tracked insertions."""
    for child in parent.iterchildren():
        if child.tag in (f"{W}p", f"{W}tbl"):
            yield child
        elif child.tag not in LEFT_OUT:
            yield from _blocks(child)


def _add_block(block: Any, builder: DocumentBuilder, levels: dict[str, int], page_break: str) -> None:
    if block.tag == f"{W}tbl":
        for row in block.iterchildren(f"{W}tr"):
            for cell in row.iterchildren(f"{W}tc"):
                for part in _blocks(cell):
                    _add_block(part, builder, levels, page_break)
                    builder.gap(" ")
                builder.gap("\t")
            builder.gap("\n")
        return
    style = block.find(f"{W}pPr/{W}pStyle")
    level = levels.get(style.get(f"{W}val"), 0) if style is not None else 0
    if level:
        with builder.heading(level):
            _add_runs(block, builder, page_break)
    else:
        _add_runs(block, builder, page_break)


def _add_runs(parent: Any, builder: DocumentBuilder, page_break: str) -> None:
    for child in parent.iterchildren():
        if child.tag == f"{W}t":
            builder.verbatim(child.text or "")
        elif child.tag in CHARACTERS:
            builder.verbatim(CHARACTERS[child.tag])
        elif child.tag == page_break and (child.tag != f"{W}br" or _is_page_break(child)):
            builder.page()
        elif child.tag == f"{W}br":
            builder.gap("\n")
        elif isinstance(child.tag, str) and child.tag not in LEFT_OUT:
            _add_runs(child, builder, page_break)


def _is_page_break(element: Any) -> bool:
    return element.get(f"{W}type") == "page"


def _level(style: str) -> int:
    """Level of a heading by the name of its style, which is the same in every language of Word; 0 for other text."""
    found = re.fullmatch(r"heading ([1-9])", style.lower())
    return int(found[1]) if found else 1 if style.lower() == "title" else 0
