"""Inputs: the same texts from every kind of file, from any position; what is broken is named."""

import gzip
import json
import lzma
import sys
from pathlib import Path

import pytest
from backports import zstd
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from spacy_bigbird.apply.found_files import find_inputs
from spacy_bigbird.apply.inputs import Fields, read_questions_file, reader_of

from ..files.sample_files import write_pdf
from ..toy_text import toy_texts
from .conftest import write_jsonl

TEXTS = [*toy_texts(5, 2), "Zürich, 東京\tand “more”."]
KINDS = ["x.jsonl", "x.jsonl.gz", "x.jsonl.xz", "x.jsonl.zst", "x.txt", "x.txt.gz", "x.parquet", "x.spacy"]


def write(path: Path, texts: list[str]) -> Path:
    """Write texts in the way that the name says."""
    if path.suffix == ".parquet":
        import pyarrow as pa
        from pyarrow import parquet

        parquet.write_table(pa.table({"text": texts, "n": list(range(len(texts)))}), path, row_group_size=2)
    elif path.suffix == ".spacy":
        docs = [Doc(Vocab(), words=text.split(" "), spaces=[True] * text.count(" ") + [False]) for text in texts]
        DocBin(docs=docs, store_user_data=True).to_disk(path)
    else:
        lines = texts if ".txt" in path.suffixes else [json.dumps({"text": text}) for text in texts]
        content = "".join(line + "\n" for line in lines).encode()
        opened = {".gz": gzip.open, ".xz": lzma.open, ".zst": zstd.open}.get(path.suffix, open)
        with opened(path, "wb") as file:
            file.write(content)
    return path


def read(path: Path, start: int = 1, offset: int = 0, fields: Fields | None = None) -> list:
    fields = fields or Fields(one_per_line=True)
    reader = reader_of(path, fields)
    vocab = Vocab()
    items = list(reader.items(path, fields, start, offset))
    return [(item, reader.record(item, str(path), fields, vocab)) for item in items]


@pytest.mark.parametrize("name", KINDS)
def test_the_same_texts_from_any_position(name, tmp_path):
    path = write(tmp_path / name, TEXTS)
    found = read(path)
    assert [record.text for _, record in found] == TEXTS
    assert [item.number for item, _ in found] == list(range(1, len(TEXTS) + 1))
    for item, record in found:
        tail = read(path, item.number, item.offset)
        assert tail[0][0].digest == item.digest and tail[0][1].text == record.text
        assert len(tail) == len(TEXTS) + 1 - item.number
    assert found[0][1].id == f"{path}:1"


def test_a_text_file_is_one_document_unless_told_otherwise(tmp_path):
    path = write(tmp_path / "x.txt.gz", TEXTS)
    ((item, record),) = read(path, fields=Fields())
    assert record.text == "\n".join(TEXTS) + "\n" and record.id == str(path) and item.number == 1


def test_a_document_keeps_its_pages(tmp_path):
    ((_, record),) = read(write_pdf(tmp_path / "x.pdf", [["Anna signs."], ["Boris pays."]]))
    assert record.text == "Anna signs.\n\nBoris pays." and record.pages == (0, 13)


def test_what_records_carry(tmp_path):
    path = tmp_path / "x.jsonl"
    row = {"body": "Text.", "id": 7, "questions": ["Who?"], "meta": {"year": 1900}}
    path.write_text(json.dumps(row) + "\n\n" + json.dumps({"body": "More."}), encoding="utf-8-sig")
    (_, first), (_, second) = read(path, fields=Fields("body"))
    assert (first.id, first.questions, first.meta) == ("7", ["Who?"], {"year": 1900})
    # Blank lines are no documents, but count as lines.
    assert (second.id, second.number, second.questions) == (f"{path}:3", 3, None)


def test_documents_keep_tokens_and_user_data(tmp_path):
    doc = Doc(Vocab(), words=["New York", "!"], spaces=[False, False])
    doc.user_data["id"] = "a1"
    other = Doc(Vocab(), words=["Other", "words"])
    DocBin(docs=[other, doc], store_user_data=True).to_disk(tmp_path / "x.spacy")
    (_, first), (_, second) = read(tmp_path / "x.spacy")
    assert [token.text for token in second.doc] == ["New York", "!"] and second.id == "a1"
    assert first.doc.text == other.text


@pytest.mark.parametrize(
    "line, reason", [("{", "not JSON"), ("[1]", "no string under 'text'"), ('{"text": 3}', "no string under 'text'")]
)
def test_broken_records(line, reason, tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text(line, encoding="utf8")
    with pytest.raises(ValueError, match=reason):
        read(path)
    path.write_bytes(b'{"text": "\xff"}')
    with pytest.raises(ValueError, match="not UTF-8"):
        read(path)


def test_a_table_without_the_column(tmp_path):
    path = write(tmp_path / "x.parquet", TEXTS)
    with pytest.raises(ValueError, match="it has no column 'body', only text, n"):
        read(path, fields=Fields("body"))


@pytest.mark.parametrize("name, package", [("x.parquet", "pyarrow"), ("x.jsonl.zst", "backports")])
def test_packages_that_are_not_installed(name, package, tmp_path, monkeypatch):
    path = write(tmp_path / name, TEXTS)
    for module in [*[name for name in sys.modules if name.split(".")[0] == package], package]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match="pip install"):
        read(path)


def test_files_folders_and_patterns(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("b/2.jsonl.gz", "b/1.txt", "b/image.png", "c.jsonl", "d.jsonl", "out.jsonl"):
        (tmp_path / name).touch()
    found = find_inputs([tmp_path / "d.jsonl", tmp_path / "b", f"{tmp_path}/*.jsonl"], tmp_path / "out")
    names = [Path(file).relative_to(tmp_path).as_posix() for file in found.files]
    # In the order given, each once.
    assert names == ["d.jsonl", "b/1.txt", "b/2.jsonl.gz", "c.jsonl", "out.jsonl"] and found.ignored == 1
    # Results are not read as inputs.
    assert len(find_inputs([tmp_path], tmp_path / "b").files) == 3


@pytest.mark.parametrize(
    "given, reason",
    [
        ("no/*.txt", "no such file"),
        ("missing.jsonl", "no such file"),
        ("a.png", "of kind .png"),
        (".", "no such files"),
    ],
)
def test_nothing_to_read(given, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.png").touch()
    with pytest.raises(ValueError, match=rf"BB400.*{reason}"):
        find_inputs([given], tmp_path / "out")


def test_questions_file(tmp_path):
    path = tmp_path / "q.txt"
    path.write_text("\ufeffWho?\n\n When? \n", encoding="utf8")
    assert read_questions_file(path) == ["Who?", "When?"]
    for content in (b"\n", b"\xff"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="BB320"):
            read_questions_file(path)


def test_lines_are_as_long_as_they_are(tmp_path):
    path = write_jsonl(tmp_path / "x.jsonl", ["a" * 100])
    ((item, _),) = read(path)
    assert item.size == path.stat().st_size
