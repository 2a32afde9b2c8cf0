"""Corpora in either form."""

import lzma

import pytest

from project.workflows.library import sources

from ..stand_ins import write_archive


def test_converted_files_come_first_and_what_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv(sources.VARIABLE, raising=False)
    with pytest.raises(FileNotFoundError, match=r"litbank.tar.gz: `python -m workflows.steps.assets litbank`"):
        sources.find("litbank", tmp_path)
    write_archive(tmp_path / "assets" / "litbank.tar.gz", {"a": ""})
    assert sources.find("litbank", tmp_path) == sources.Asset(tmp_path / "assets" / "litbank.tar.gz", False)
    monkeypatch.setenv(sources.VARIABLE, str(tmp_path))
    with pytest.raises(FileNotFoundError, match="names the wrong folder"):
        sources.find("litbank", tmp_path)
    (tmp_path / "litbank").mkdir()
    (tmp_path / "litbank" / "litbank_ner.jsonl.xz").touch()
    assert sources.find("litbank", tmp_path).is_converted


def test_lines_and_archives_are_read_whatever_their_compression(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"x": 1}\n\n{"x": "é"}\n', encoding="utf8")
    with lzma.open(tmp_path / "a.jsonl.xz", "wt", encoding="utf8") as file:
        file.write('{"x": 1}\n{"x": "é"}\n')
    for name in ("a.jsonl", "a.jsonl.xz"):
        assert [row["x"] for row in sources.read_json_lines(tmp_path / name)] == [1, "é"]
    for name in ("a.tar.gz", "a.tar.xz"):
        write_archive(tmp_path / name, {"top/a.txt": "\ufeffé", "top/b.md": "no"})
        assert list(sources.read_archive(tmp_path / name, "*.txt")) == [("top/a.txt", "é")]
