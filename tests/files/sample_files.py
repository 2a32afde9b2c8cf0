"""Small files in each format, written by the tests that read them."""

from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import docx
from docx.oxml import parse_xml
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

NAMESPACE = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def write_pdf(path: Path, pages: list[list[str]], password: str | None = None) -> Path:
    """A PDF with the lines of each page."""
    writer = PdfWriter()
    font = {"Type": "Font", "Subtype": "Type1", "BaseFont": "Helvetica", "Encoding": "WinAnsiEncoding"}
    font_object = DictionaryObject({NameObject(f"/{key}"): NameObject(f"/{value}") for key, value in font.items()})
    for lines in pages:
        page = writer.add_blank_page(612, 792)
        fonts = DictionaryObject({NameObject("/F1"): font_object})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        shown = "".join(f"({line}) Tj T*\n" for line in lines)
        stream = DecodedStreamObject()
        stream.set_data(f"BT /F1 12 Tf 14 TL 72 720 Td\n{shown}ET".encode("cp1252"))
        page[NameObject("/Contents")] = writer._add_object(stream)
    if password is not None:
        writer.encrypt(password, algorithm="AES-256")
    writer.write(path)
    return path


def write_docx(path: Path) -> Path:
    """A Word document with headings, a table, a content control, tracked changes and a page break."""
    document = docx.Document()
    document.add_heading("Lease", level=1)
    document.add_paragraph("Anna rents the garden.")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(
        [cell for row in table.rows for cell in row.cells], ["Rent", "900", "Term", "two"], strict=True
    ):
        cell.text = text
    changed = document.add_paragraph("The rent is ")
    for part in (
        f'<w:del {NAMESPACE} w:id="1" w:author="A"><w:r><w:delText>800</w:delText></w:r></w:del>',
        f'<w:ins {NAMESPACE} w:id="2" w:author="A"><w:r><w:t>900</w:t></w:r></w:ins>',
        f"<w:moveFrom {NAMESPACE}><w:r><w:t>moved</w:t></w:r></w:moveFrom>",
    ):
        changed._p.append(parse_xml(part))
    control = (
        f"<w:sdt {NAMESPACE}><w:sdtContent><w:p><w:r><w:t>Signed in Paris.</w:t></w:r></w:p></w:sdtContent></w:sdt>"
    )
    document.element.body.insert_element_before(parse_xml(control), "w:sectPr")
    document.add_page_break()
    document.add_heading("Annex", level=2)
    document.save(path)
    return path


def write_epub(path: Path, chapters: dict[str, str], encryption: str = "") -> Path:
    """A book with chapters in reverse order of the archive, since only the spine says how they are read."""
    manifest = "".join(f'<item id="{name}" href="text/{name}%20one.xhtml"/>' for name in chapters)
    spine = "".join(f'<itemref idref="{name}"/>' for name in chapters)
    content = BytesIO()
    with ZipFile(content, "w") as book:
        book.writestr("mimetype", "application/epub+zip")
        book.writestr(
            "META-INF/container.xml",
            '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
            '<rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>',
        )
        book.writestr(
            "OPS/book.opf",
            '<package xmlns="http://www.idpf.org/2007/opf">'
            f"<manifest>{manifest}</manifest><spine>{spine}</spine></package>",
        )
        for name, html in reversed(chapters.items()):
            book.writestr(f"OPS/text/{name} one.xhtml", html)
        if encryption:
            book.writestr("META-INF/encryption.xml", f'<encryption><CipherReference URI="{encryption}"/></encryption>')
    path.write_bytes(content.getvalue())
    return path
