"""Files that are complete or not there, whoever reads, dies or writes at the same time."""

import os
import threading
import time

import pytest

from spacy_bigbird import atomic
from spacy_bigbird.atomic import replace_file
from spacy_bigbird.model import BigBirdConfig, BigBirdModel
from spacy_bigbird.tokenizer import BigBirdTokenizer


def test_two_writers_do_not_share_a_temporary_file(tmp_path):
    path, both_are_open = tmp_path / "file", threading.Barrier(2, timeout=20)

    def write(letter):
        def content(temporary):
            with temporary.open("w") as file:
                file.write(letter * 1000)
                both_are_open.wait()
                file.write(letter * 1000)

        replace_file(path, content)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() in ("a" * 2000, "b" * 2000)
    assert list(tmp_path.iterdir()) == [path]


def test_the_content_is_on_the_disk_before_the_name(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(atomic, "flush_to_disk", lambda path: done.append(("sync", path)))
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *paths: done.append(("move", paths[1])) or replace(*paths))
    replace_file(tmp_path / "file", lambda path: path.write_text("content"))
    assert [step for step, _ in done] == ["sync", "move", "sync"]
    assert done[0][1].name.startswith(".file.") and done[2][1] == tmp_path


@pytest.mark.parametrize("name", ["file", "with [brackets]*"])
def test_what_a_killed_process_left_behind_is_deleted_after_a_day(tmp_path, name):
    old, new, other = (tmp_path / f".{file}.{number}.part" for file, number in ((name, 1), (name, 2), ("other", 3)))
    for path in (old, new, other):
        path.write_text("half")
    for path in (old, other):
        os.utime(path, (0, time.time() - 2 * atomic.ABANDONED_AFTER))
    replace_file(tmp_path / name, lambda path: path.write_text("content"))
    assert sorted(tmp_path.iterdir()) == sorted([new, other, tmp_path / name])


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path, vocab_file, monkeypatch):
    config = BigBirdConfig(vocab_size=200, hidden_size=8, num_hidden_layers=1, num_attention_heads=1)
    model, tokenizer = BigBirdModel.build(config), BigBirdTokenizer(vocab_file)
    model.save_pretrained(tmp_path)
    tokenizer.save_vocabulary(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for save in (model.save_pretrained, tokenizer.save_vocabulary, config.save_pretrained):
        with pytest.raises(OSError, match="No space left"):
            save(tmp_path)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
