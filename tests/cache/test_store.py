"""The folder of states: what is stored is read, whatever other processes, limits and disks do."""

import os
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest

from spacy_bigbird.cache.store import StateStore, open_store

ARRAY = np.arange(64, dtype=np.float16).reshape(8, 8)
FILE = ARRAY.nbytes + 128  # with the header


@pytest.fixture
def store(tmp_path):
    return StateStore(tmp_path / "cache", 10**6)


def age(store, text, seconds):
    path = store.folder / "model" / f"{text}.npy"
    os.utime(path, (time.time() - seconds,) * 2)


def test_what_is_stored_is_read(store):
    assert store.read("model", "a") is None
    store.write("model", "a", ARRAY)
    found = store.read("model", "a")
    np.testing.assert_array_equal(found, ARRAY)
    assert isinstance(found, np.memmap)
    assert store.read("model", "b") is None and store.read("other", "a") is None
    assert store.size() == FILE


def test_damaged_files_are_missing(store):
    store.write("model", "a", ARRAY)
    path = store.folder / "model" / "a.npy"
    for content in (path.read_bytes()[:-10], b"", b"nonsense"):
        path.write_bytes(content)
        assert store.read("model", "a") is None


def test_the_longest_unused_are_deleted(tmp_path):
    store = StateStore(tmp_path / "cache", 4 * FILE)
    for text in "abcd":
        store.write("model", text, ARRAY)
        age(store, text, 1000 - ord(text))
    store = StateStore(tmp_path / "cache", 4 * FILE)
    age(store, "a", 1)  # used last, but before this store was opened
    store.opened += 1
    store.write("model", "e", ARRAY)
    assert store.read("model", "b") is None and store.read("model", "a") is not None
    np.testing.assert_array_equal(store.read("model", "e"), ARRAY)
    assert store.size() <= 4 * FILE


def test_a_training_that_does_not_fit_keeps_what_it_has(tmp_path):
    store = StateStore(tmp_path / "cache", 2 * FILE)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for text in "abcd":
            store.write("model", text, ARRAY)
    assert [str(warning.message)[:7] for warning in caught] == ["[BW460]"]
    assert [store.read("model", text) is not None for text in "abcd"] == [True, True, False, False]


def test_a_full_disk_is_said_once(store, monkeypatch):
    store.write("model", "a", ARRAY)

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.warns(UserWarning, match="BW460.*No space left"):
        store.write("model", "b", ARRAY)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store.write("model", "c", ARRAY)
    assert store.read("model", "a") is not None and store.read("model", "b") is None
    assert not list(store.folder.glob("*/*.part"))


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    store = StateStore(tmp_path / "file" / "cache", 10**6)
    with pytest.warns(UserWarning, match="BW460"):
        store.write("model", "a", ARRAY)
    assert store.read("model", "a") is None


def test_nothing_is_created_where_it_must_not(tmp_path):
    store = StateStore(tmp_path / "cache", 10**6, create=False)
    store.write("model", "a", ARRAY)
    assert not store.folder.exists()
    store.folder.mkdir()
    store.write("model", "a", ARRAY)
    assert store.read("model", "a") is not None


def test_clearing_leaves_other_files_alone(store):
    with pytest.raises(ValueError, match="BB465"):
        store.clear()
    store.write("model", "a", ARRAY)
    (store.folder / "notes.txt").write_text("mine")
    assert store.clear() == FILE
    assert [path.name for path in store.folder.iterdir()] == ["notes.txt"]
    empty = StateStore(store.folder / "other", 10**6)
    empty.write("model", "a", ARRAY)
    empty.clear()
    assert not empty.folder.exists()


WRITER = """
import sys
from pathlib import Path
import numpy as np
from spacy_bigbird.cache.store import StateStore
store = StateStore(Path(sys.argv[1]), 40 * 1928)
print("ready", flush=True)
for turn in range(int(sys.argv[2])):
    for text in range(60):
        found = store.read("model", str(text))
        assert found is None or (found == text).all()
        store.write("model", str(text), np.full((30, 30), text, dtype=np.float16))
"""


def start(folder, turns):
    command = [sys.executable, "-W", "ignore", "-c", WRITER, str(folder), str(turns)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_several_processes_and_a_kill(tmp_path):
    processes = [start(tmp_path / "cache", turns) for turns in (3, 3, 10**6)]
    assert processes[2].stdout.readline() == "ready\n"
    time.sleep(0.05)
    processes[2].send_signal(signal.SIGKILL)
    for process in processes[:2]:
        _, problems = process.communicate(timeout=60)
        assert process.returncode == 0, problems
    processes[2].communicate(timeout=60)
    store = StateStore(tmp_path / "cache", 40 * 1928)
    found = [store.read("model", str(text)) for text in range(60)]
    assert sum(one is not None for one in found) >= 30
    assert all((one == text).all() for text, one in enumerate(found) if one is not None)
    # What the killed process left is deleted, but not what another one may be writing.
    left = store.folder / "model" / "x.npy.1-1.part"
    fresh = store.folder / "model" / "y.npy.1-1.part"
    for path in (left, fresh):
        path.write_text("")
    os.utime(left, (time.time() - 10_000,) * 2)
    store.opened = time.time() + 1
    store.write("model", "z", ARRAY)
    assert fresh.exists() and not left.exists()


@pytest.mark.parametrize(("folder", "gigabytes"), [("x", 0), ("x", True), ("x", "1"), ("", 1.0), (3, 1.0)])
def test_settings_are_checked(folder, gigabytes):
    with pytest.raises(ValueError, match="BB467"):
        open_store(folder, gigabytes)
    assert open_store(None, 1.0) is None and open_store("x", 0.5).limit == 500_000_000
