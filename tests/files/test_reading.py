"""Texts, pages and headings of files in each format, and what is said about files that cannot be read."""

import subprocess
import sys
from zipfile import ZipFile

import pytest

from spacy_bigbird import files
from spacy_bigbird.files import Heading, UnreadableError, zipped

from .sample_files import write_docx, write_epub, write_pdf


def code_of(error: pytest.ExceptionInfo) -> str:
    return str(error.value)[1:6]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"a\r\n\xc3\xa9", "a\r\né"),
        (b"\xef\xbb\xbfa", "a"),
        ("aé".encode("utf-16"), "aé"),
        (b"", ""),
    ],
)
def test_plain_text_keeps_its_offsets(tmp_path, data, text):
    (tmp_path / "a.log").write_bytes(data)
    document = files.read(tmp_path / "a.log")
    assert document.text == text
    assert document.page_of(0) is None


def test_markdown_stays_as_it_is_with_its_headings():
    text = "# Lease #\r\ntext\r\n```\n# code\n```\n  ## Term\n#none\n"
    document = files.read("a.md", text.encode())
    assert document.text == text
    assert document.headings == (Heading(2, 1, "Lease"), Heading(text.index("Term"), 2, "Term"))
    assert [text[h.start : h.start + len(h.title)] for h in document.headings] == ["Lease", "Term"]


def test_html_gives_what_a_browser_shows():
    page = """<!DOCTYPE html><html><head><title>no</title><style>p {}</style></head><body>
    <h1>The  <em>Lease</em></h1><script>no()</script><p>Anna&nbsp;rents
      the <b>garden</b>.<br>Signed.</p><p hidden>no</p><!-- no -->
    <table><tr><th>Rent</th><td>900</td></tr><tr><td>Term</td><td><p>two</p></td></tr></table>
    <pre>a  b
 c</pre><ul><li>one</li><li>two</li></ul>é</body></html>"""
    document = files.read("a.HTML", page.encode())
    assert document.text == (
        "The Lease\n\nAnna\xa0rents the garden.\nSigned.\n\nRent\t900\nTerm\n\ntwo\n\na  b\n c\n\none\ntwo\n\né"
    )
    assert document.headings == (Heading(0, 1, "The Lease"),)
    declared = b'<html><head><meta charset="windows-1252"></head><body>caf\xe9</body></html>'
    assert files.read("b.htm", declared).text == "café"
    assert (
        files.read("c.html", "<?xml version='1.0' encoding='utf-8'?><html><body>ä</body></html>".encode()).text == "ä"
    )
    assert files.read("d.html", b" \n").text == ""


def test_pdf_has_pages_and_whole_words(tmp_path):
    first = ["The agree-", "ment is long-", "term, not long-term, and non-", "European."]
    path = write_pdf(tmp_path / "a.pdf", [first, ["Second page."], ["Third “page”."]])
    document = files.read(path)
    assert document.text.split("\n\n") == [
        "The agreement is long-term, not long-term, and non-\nEuropean.",
        "Second page.",
        "Third “page”.",
    ]
    assert document.page_of(0) == 1
    assert [document.page_of(document.text.index(word)) for word in ("European", "Second", "Third")] == [1, 2, 3]
    assert document.page_of(document.text.index("Second") - 1) == 1
    assert document.page_of(10**6) == 3


def test_pdf_that_is_encrypted_scanned_or_partly_scanned(tmp_path):
    with pytest.raises(UnreadableError, match=r"secret\.pdf is encrypted"):
        files.read(write_pdf(tmp_path / "secret.pdf", [["a"]], password="x"))
    assert files.read(write_pdf(tmp_path / "open.pdf", [["open"]], password="")).text == "open"
    with pytest.raises(UnreadableError, match=r"scan\.pdf has no text on its 2 pages"):
        files.read(write_pdf(tmp_path / "scan.pdf", [[], []]))
    with pytest.warns(UserWarning, match=r"BW490.*part\.pdf: 1 of 2 pages"):
        document = files.read(write_pdf(tmp_path / "part.pdf", [[], ["text"]]))
    assert document.page_of(0) == 2


def test_word_document(tmp_path):
    document = files.read(write_docx(tmp_path / "a.docx"))
    assert document.text == (
        "Lease\n\nAnna rents the garden.\n\nRent\t900\nTerm\ttwo\n\nThe rent is 900\n\nSigned in Paris.\n\nAnnex"
    )
    assert document.headings == (Heading(0, 1, "Lease"), Heading(document.text.index("Annex"), 2, "Annex"))
    assert [document.page_of(document.text.index(word)) for word in ("Anna", "Signed", "Annex")] == [1, 1, 2]


def test_book_is_read_in_the_order_of_its_spine(tmp_path):
    chapters = {"b": "<html><body><h1>One</h1>Anna.</body></html>", "a": "<html><body><h1>Two</h1>Boris.</body></html>"}
    document = files.read(write_epub(tmp_path / "a.epub", chapters, encryption="OPS/font.otf"))
    assert document.text == "One\n\nAnna.\n\nTwo\n\nBoris."
    assert [heading.title for heading in document.headings] == ["One", "Two"]
    with pytest.raises(UnreadableError, match=r"b\.epub is encrypted"):
        files.read(write_epub(tmp_path / "b.epub", chapters, encryption="OPS/text/a%20one.xhtml"))


@pytest.mark.parametrize("name", ["a.pdf", "a.docx", "a.epub"])
def test_damaged_files_are_named(tmp_path, name):
    write = {"a.pdf": lambda path: write_pdf(path, [["text"] * 40]), "a.docx": write_docx}.get(
        name, lambda path: write_epub(path, {"a": "<p>x</p>"})
    )
    whole = write(tmp_path / name).read_bytes()
    for data in (b"", b"nonsense", whole[: len(whole) // 2]):
        with pytest.raises(UnreadableError, match=name) as error:
            files.read(name, data)
        assert code_of(error) in ("BB491", "BB492")


def test_files_that_are_not_what_their_names_say(tmp_path, monkeypatch):
    with pytest.raises(UnreadableError, match=r"BB497.*old\.docx"):
        files.read("old.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    with pytest.raises(UnreadableError, match=r"BB495.*a\.txt.*not UTF-8"):
        files.read("a.txt", b"caf\xe9")
    with pytest.raises(UnreadableError, match=r"BB495.*zero bytes"):
        files.read("a.bin", b"a\0b")
    with pytest.raises(UnreadableError, match=r"BB492.*missing\.txt"):
        files.read(tmp_path / "missing.txt")
    with ZipFile(tmp_path / "a.epub", "w") as book:
        book.writestr("big", "x" * 2_000_000)
    monkeypatch.setattr(zipped, "MAX_UNPACKED", 1024**2)
    with pytest.raises(UnreadableError, match=r"BB496.*a\.epub unpacks to 1 MB"):
        files.read(tmp_path / "a.epub")


def test_a_folder_gives_the_files_that_can_be_read(tmp_path):
    for name in ("b.txt", "inner/a.PDF", ".hidden.txt", "~$a.docx", "picture.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert files.find(tmp_path) == [tmp_path / "b.txt", tmp_path / "inner" / "a.PDF"]
    assert files.find(tmp_path / "picture.png") == [tmp_path / "picture.png"]
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "none"):
        with pytest.raises(UnreadableError, match="BB494"):
            files.find(path)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "docx", None)
    with pytest.raises(ImportError, match=r"BB493.*python-docx: pip install 'spacy-bigbird\[files\]'"):
        files.read("a.docx", b"")


def test_importing_reads_no_optional_package():
    code = "import sys, spacy_bigbird.files; print({'pypdf', 'docx', 'lxml', 'torch', 'spacy'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
