"""Reads HTML: the text that a browser would show, in the order of the page."""

import codecs

from .document import Document, DocumentBuilder

HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6}
NEVER_SHOWN = {"head", "script", "style", "template", "noscript", "iframe", "object", "svg", "math", "select", "button"}
BLOCKS = {
    *HEADINGS,
    *("address", "article", "aside", "blockquote", "body", "caption", "details", "dialog", "div", "dl", "fieldset"),
    *("figcaption", "figure", "footer", "form", "header", "hr", "main", "nav", "ol", "p", "pre", "section", "summary"),
    *("table", "ul"),
}
LINES = {"br", "dd", "dt", "li", "tr"}
CELLS = {"td", "th"}


def read(data: bytes, name: str) -> Document:
    """Read HTML. Paragraphs are separated by an empty line, rows of tables by a line break, their cells by a tab.

    data (bytes): the page, in UTF-8 or in the encoding that it declares.
    name (str): its name; not used.
    RETURNS (Document): the document.
    """
    builder = DocumentBuilder()
    add_page(data, builder)
    return builder.build()


def add_page(data: bytes, builder: DocumentBuilder) -> None:
    """Add the text of an HTML page to a document.

    data (bytes): the page.
    builder (DocumentBuilder): the document.
    """
    from lxml import html

    # libxml2 takes a page that declares no encoding for Latin-1, but nearly all of them are UTF-8.
    try:
        data.decode("utf-8")
        encoding = None if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"
    except UnicodeDecodeError:
        encoding = None
    data = data.removeprefix(codecs.BOM_UTF8)
    if data.strip():
        _add(html.document_fromstring(data, parser=html.HTMLParser(encoding=encoding, no_network=True)), builder)


def _add(element, builder: DocumentBuilder, is_verbatim: bool = False) -> None:
    tag = element.tag
    # Comments and processing instructions have functions as tags.
    if not isinstance(tag, str) or tag in NEVER_SHOWN or "hidden" in element.attrib:
        return
    gap = "\n\n" if tag in BLOCKS else "\n" if tag in LINES else "\t" if tag in CELLS else ""
    is_verbatim = is_verbatim or tag == "pre"
    write = builder.verbatim if is_verbatim else builder.text
    builder.gap(gap)
    if tag in HEADINGS:
        with builder.heading(HEADINGS[tag]):
            _add_contents(element, builder, write, is_verbatim)
    else:
        _add_contents(element, builder, write, is_verbatim)
    builder.gap(gap)


def _add_contents(element, builder, write, is_verbatim) -> None:
    write(element.text or "")
    for child in element:
        _add(child, builder, is_verbatim)
        write(child.tail or "")
