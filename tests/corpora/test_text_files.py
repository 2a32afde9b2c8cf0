"""Readers of texts: every format, compressed or not, one document at a time, and files that are broken."""

import gzip
import json
import lzma

import pytest
import spacy
from spacy.tokens import DocBin

from spacy_bigbird.corpora.text_files import read_texts, text_files

TEXTS = ["One document.\nWith two lines.", "Zürich \U0001f600", "  the third\t"]


def as_jsonl(texts):
    return "".join(json.dumps({"id": n, "text": text}) + "\n\n" for n, text in enumerate(texts)).encode()


def as_docs(texts):
    nlp = spacy.blank("xx")
    return DocBin(docs=[nlp(text) for text in texts]).to_bytes()


@pytest.mark.parametrize(
    "compress", [("", bytes), (".gz", gzip.compress), (".xz", lzma.compress)], ids=["", "gz", "xz"]
)
def test_formats(tmp_path, compress):
    suffix, compressed = compress
    (tmp_path / f"a.jsonl{suffix}").write_bytes(compressed(as_jsonl([*TEXTS, " \n"])))
    (tmp_path / f"b.spacy{suffix}").write_bytes(compressed(as_docs([*TEXTS, ""])))
    (tmp_path / f"c.txt{suffix}").write_bytes(compressed(("\ufeff" + TEXTS[0] + "\r\n\r\n" + TEXTS[1]).encode()))
    (tmp_path / "notes.md").write_text("not a text")
    whole = TEXTS[0] + "\r\n\r\n" + TEXTS[1]
    assert list(read_texts([tmp_path])) == [*TEXTS, *TEXTS, whole]
    lines = [*TEXTS[0].split("\n"), TEXTS[1]]
    assert list(read_texts([tmp_path / f"c.txt{suffix}"], one_per_line=True)) == lines
    assert [path.name for path in text_files([tmp_path / f"b.spacy{suffix}", tmp_path])] == [
        f"{name}{suffix}" for name in ("b.spacy", "a.jsonl", "b.spacy", "c.txt")
    ]


@pytest.mark.parametrize(
    ("suffix", "compressed"), [("", bytes), (".gz", gzip.compress), (".xz", lzma.compress)], ids=["", "gz", "xz"]
)
def test_progress_adds_up_to_the_files(tmp_path, suffix, compressed):
    path = tmp_path / f"a.jsonl{suffix}"
    path.write_bytes(compressed(as_jsonl(["text " * 50 + str(number) for number in range(3000)])))
    steps = []
    assert sum(1 for _ in read_texts([path], on_bytes=steps.append)) == 3000
    assert sum(steps) == path.stat().st_size and all(step >= 0 for step in steps)


def test_documents_are_read_one_at_a_time(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(as_jsonl(TEXTS) + b"broken")
    texts = read_texts([path])
    assert [next(texts) for _ in TEXTS] == TEXTS
    with pytest.raises(ValueError, match=r"a\.jsonl, line 7: 'broken'"):
        next(texts)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", b'{"txt": "x"}', "line 1"),
        ("a.jsonl", b'{"text": 5}', "line 1"),
        ("a.jsonl", b'"text"', "line 1"),
        ("a.txt", "Zürich".encode("latin-1"), "UTF-8"),
        ("a.jsonl", b"\xff\n", "UTF-8"),
        ("a.txt.gz", b"not gzip", "cannot be read"),
        ("a.txt.gz", gzip.compress(b"text " * 1000, mtime=0)[:-20], "cannot be read"),
        ("a.txt.xz", lzma.compress(b"text " * 1000)[:-20], "cannot be read"),
        ("a.spacy", b"no documents", "cannot be read"),
        ("a.docx", b"", r"a file of kind \.docx"),
    ],
)
def test_broken_files_are_named(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=said) as raised:
        list(read_texts([tmp_path / name]))
    assert name in str(raised.value)


def test_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        list(read_texts([tmp_path / "none.txt"]))
    with pytest.raises(FileNotFoundError, match="without text files"):
        list(read_texts([tmp_path]))
