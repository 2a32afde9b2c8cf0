"""Runs: each document exactly once, the same bytes whatever was interrupted, and what is said when one cannot begin."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import filelock
import pytest
import spacy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spacy.tokens import DocBin

from spacy_bigbird.apply import LocalEngine, Settings, apply
from spacy_bigbird.apply.run import LOCK, dry_run, shared_threads
from spacy_bigbird.apply.worker import Worker

from ..processes import start_spacy
from .conftest import contents, rows, some_texts, write_jsonl

SMALL = Settings(shard_pieces=150, batch_pieces=100)


@pytest.fixture(scope="module")
def whole(pipeline, tmp_path_factory):
    """Inputs, and the output of a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    texts = some_texts(20)
    write_jsonl(folder / "a.jsonl", texts[:12])
    with (folder / "a.jsonl").open("a", encoding="utf8") as file:
        file.write("broken\n")
    write_jsonl(folder / "b.jsonl", texts[12:])
    inputs = [str(folder / "a.jsonl"), str(folder / "b.jsonl")]
    summary = apply(pipeline, inputs, folder / "out", settings=SMALL)
    return inputs, folder / "out", summary


def test_every_document_is_there_once_in_order(whole):
    inputs, output, summary = whole
    found = rows(output)
    places = [(inputs[0], n) for n in range(1, 13)] + [(inputs[1], n) for n in range(1, 9)]
    assert [(row["source"], row["number"]) for row in found] == places
    assert all(row["stats"]["pieces"] > 0 and "cats" in row for row in found)
    assert sum(len(row["entities"]) for row in found) > 0
    assert summary["documents"] == 21 and summary["failed"] == 1 and summary["results"] > 4
    failures = [json.loads(line) for line in (output / "failures.jsonl").open()]
    assert [(failure["source"], failure["number"]) for failure in failures] == [(inputs[0], 13)]
    assert "not JSON" in failures[0]["reason"]
    assert summary["pieces"] == sum(row["stats"]["pieces"] for row in found)
    assert json.loads((output / "summary.json").read_text()) == summary


def test_the_predictions_are_those_of_the_pipeline(whole, pipeline):
    inputs, output, _ = whole
    texts = [json.loads(line)["text"] for line in Path(inputs[1]).read_text(encoding="utf8").splitlines()]
    for row, doc in zip(rows(output)[12:], spacy.load(pipeline).pipe(texts), strict=True):
        assert [(ent["start"], ent["label"]) for ent in row["entities"]] == [
            (ent.start_char, ent.label_) for ent in doc.ents
        ]
        assert row["cats"] == pytest.approx(doc.cats, abs=2e-5)


@dataclass(frozen=True)
class Interrupted(LocalEngine):
    """Does some shards, in another order, and is then interrupted: after all of a shard, or before it is noted."""

    after: int = 0
    seed: int = 0

    def run(self, job, shards, on_progress):
        shards = sorted(shards, key=lambda shard: hash((shard.number, self.seed)))
        worker = Worker(job)
        for shard in shards[: self.after]:
            yield worker(shard, on_progress)
        if self.after < len(shards):
            worker(shards[self.after])
        raise KeyboardInterrupt


@pytest.fixture(scope="module")
def quick(obedient, tmp_path_factory):
    """The same with a pipeline that is loaded in no time."""
    folder = tmp_path_factory.mktemp("quick")
    path = write_jsonl(
        folder / "a.jsonl", [f"Paris {text} {'raise:it' * (n % 7 == 3)}" for n, text in enumerate(some_texts(14))]
    )
    apply(obedient[0], [path], folder / "out", settings=SMALL, code=obedient[1])
    return path, folder / "out"


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 99)), min_size=1, max_size=3))
def test_the_same_bytes_whatever_was_interrupted(quick, obedient, tmp_path_factory, stops):
    path, expected = quick
    output = tmp_path_factory.mktemp("interrupted") / "out"
    for after, seed in stops:
        with pytest.raises(KeyboardInterrupt):
            apply(obedient[0], [path], output, settings=SMALL, engine=Interrupted(1, after, seed), code=obedient[1])
        # Half a file, as a killed machine may leave it, and one that was never noted.
        (output / ".part-000000.jsonl.x.part").write_bytes(b"half")
        (output / "part-000001.jsonl").write_bytes(b"half")
    apply(obedient[0], [path], output, settings=SMALL, code=obedient[1])
    assert contents(output) == contents(expected)
    assert not list(output.rglob("*.part"))


def test_a_finished_run_has_nothing_left_to_do(whole, pipeline, monkeypatch):
    inputs, output, summary = whole
    monkeypatch.setattr(Worker, "__call__", lambda *_: pytest.fail("nothing was left to do"))
    before = contents(output)
    again = apply(pipeline, inputs, output, settings=SMALL)
    assert again["this_run"]["documents"] == 0 and again["failed"] == 1
    assert contents(output) == before and again["documents"] == summary["documents"]


def test_other_runs_are_refused(whole, pipeline, obedient, tmp_path):
    inputs, output, _ = whole

    def refused(match, *, pipeline=pipeline, inputs=inputs, given=SMALL, output=output):
        with pytest.raises(ValueError, match=match):
            apply(pipeline, inputs, output, settings=given)

    refused(r"BB403.*the pipeline was", pipeline=obedient[0])
    refused(r"BB403.*batch_pieces was 100", given=replace(SMALL, batch_pieces=99))
    refused(r"BB403.*in another order", inputs=inputs[::-1])
    refused(r"BB403.*b\.jsonl was one of the inputs", inputs=inputs[:1])
    (tmp_path / "file").touch()
    refused("BB402.*it is a file", output=tmp_path / "file")
    refused(r"BB402.*other files, such as file", output=tmp_path)
    with filelock.FileLock(output / LOCK):
        refused("BB404")
    shutil.copytree(output, tmp_path / "damaged")
    (tmp_path / "damaged" / "manifest.json").write_text("{")
    refused("BB402.*damaged", output=tmp_path / "damaged")


def test_inputs_that_changed_meanwhile(obedient, tmp_path):
    pipeline, code = obedient
    path = write_jsonl(tmp_path / "a.jsonl", [f"Paris {n}" for n in range(9)])
    given = {"settings": Settings(shard_pieces=10), "code": code}
    with pytest.raises(KeyboardInterrupt):
        apply(pipeline, [path], tmp_path / "out", engine=Interrupted(1, 1), **given)
    old = path.read_text()
    path.write_text(old.replace("Paris", "Basel"))
    with pytest.raises(ValueError, match=r"BB405.*a\.jsonl"):
        apply(pipeline, [path], tmp_path / "out", **given)
    path.write_text(old + "more\n")
    with pytest.raises(ValueError, match=r"BB403.*the size of .*a\.jsonl has changed"):
        apply(pipeline, [path], tmp_path / "out", **given)
    path.write_text(old)
    assert apply(pipeline, [path], tmp_path / "out", **given)["failed"] == 0
    assert [row["entities"][0]["text"] for row in rows(tmp_path / "out")] == ["Paris"] * 9


def test_no_space_on_the_disk(obedient, tmp_path, monkeypatch):
    pipeline, code = obedient
    path = write_jsonl(tmp_path / "a.jsonl", ["Paris"] * 9)
    given = {"settings": Settings(shard_pieces=20), "code": code}
    left, fsync = [8], os.fsync

    def full(number):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        fsync(number)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match=r"BB407.*No space left on device"):
            apply(pipeline, [path], tmp_path / "out", **given)
    assert len(list((tmp_path / "out" / "progress").iterdir())) == 1
    assert apply(pipeline, [path], tmp_path / "out", **given)["this_run"]["documents"] < 9
    assert len(rows(tmp_path / "out")) == 9


def test_failures_do_not_stop_the_run(obedient, tmp_path):
    pipeline, code = obedient
    path = write_jsonl(tmp_path / "a.jsonl", ["Paris", "raise:one", "Anna", "raise:two"])
    summary = apply(pipeline, [path], tmp_path / "out", code=code)
    assert summary["failed"] == 2 and [row["number"] for row in rows(tmp_path / "out")] == [1, 3]
    failures = [json.loads(line) for line in (tmp_path / "out" / "failures.jsonl").open()]
    assert [failure["number"] for failure in failures] == [2, 4] and "told to: raise:one" in failures[0]["reason"]


def test_a_pipeline_that_does_not_load(obedient, tmp_path):
    path = write_jsonl(tmp_path / "a.jsonl", ["Paris"])
    (tmp_path / "code.py").write_text("raise RuntimeError('no such thing')")
    with pytest.raises(ValueError, match=r"BB406.*no such thing"):
        apply(obedient[0], [path], tmp_path / "out", code=tmp_path / "code.py")


def test_all_kinds_of_inputs_and_outputs(obedient, tmp_path):
    pipeline, code = obedient
    write_jsonl(tmp_path / "in.jsonl", ["Paris"])
    (tmp_path / "in.txt").write_text("Anna in Paris")
    (tmp_path / "in.md").write_text("# Paris\n\nAnna")
    DocBin(docs=[spacy.blank("en")("Anna")]).to_disk(tmp_path / "in.spacy")
    for format in ("spacy", "parquet"):
        apply(pipeline, [f"{tmp_path}/in.*"], tmp_path / format, settings=Settings(format=format), code=code)
    docs = DocBin().from_disk(tmp_path / "spacy" / "part-000000.spacy").get_docs(spacy.blank("en").vocab)
    assert [[ent.text for ent in doc.ents] for doc in docs] == [
        ["Paris"],
        ["Paris", "Anna"],
        ["Anna"],
        ["Anna", "Paris"],
    ]
    from pyarrow import parquet

    table = parquet.read_table(tmp_path / "parquet" / "part-000000.parquet")
    assert [len(row["entities"]) for row in table.to_pylist()] == [1, 2, 1, 2]


def test_nothing_to_do(obedient, tmp_path):
    (tmp_path / "a.jsonl").touch()
    summary = apply(obedient[0], [tmp_path / "a.jsonl"], tmp_path / "out", code=obedient[1])
    assert summary["documents"] == summary["results"] == 0 and (tmp_path / "out" / "failures.jsonl").read_text() == ""


def test_dry_run(whole, pipeline, tmp_path):
    inputs, _, summary = whole
    plan = dry_run(pipeline, inputs, tmp_path / "out", settings=SMALL, engine=LocalEngine(2))
    assert not (tmp_path / "out").exists()
    assert plan["documents"] == 21 and plan["shards"] == summary["shards"] and plan["workers"] == 2
    assert plan["pieces_per_second"] > 0 and plan["memory_per_worker"] > 2**29
    expected = max(plan["pieces"] / 2, plan["largest_document"]) / plan["pieces_per_second"]
    assert plan["seconds"] == pytest.approx(expected)


def test_threads_are_shared_out(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert [shared_threads(LocalEngine(n)) for n in (1, 2, 3, 16)] == [None, 4, 2, 1]


def test_killed_at_random_moments(obedient, tmp_path):
    """The real command, killed with SIGKILL, twice, and run again."""
    pipeline, code = obedient
    flags = [tmp_path / "first", tmp_path / "second"]
    texts = [f"Paris and Anna {n}" for n in range(200)]
    texts[70] += f" die:{flags[0]}"
    texts[130] += f" die:{flags[1]}"
    path = write_jsonl(tmp_path / "a.jsonl", texts)
    options = ["--shard-pieces", "60", "--code", str(code)]
    command = ["bigbird", "apply", pipeline, path, tmp_path / "out", *options]
    process = start_spacy(command, tmp_path / "printed")
    process.join(240)
    assert process.exitcode == -signal.SIGKILL, (tmp_path / "printed").read_text()
    done = len(list((tmp_path / "out" / "progress").iterdir()))
    assert flags[0].exists() and not flags[1].exists() and done > 0
    flags[1].touch()
    apply(pipeline, [path], tmp_path / "out", settings=Settings(shard_pieces=60), code=code)
    apply(pipeline, [path], tmp_path / "whole", settings=Settings(shard_pieces=60), code=code)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole") and len(rows(tmp_path / "out")) == 200


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_killed_whenever(seed, whole, pipeline, tmp_path):
    """The real command on a real pipeline, killed after random times until it is done."""
    import random

    inputs, expected, _ = whole
    clock, output = random.Random(seed), tmp_path / "out"
    options = ["--shard-pieces", "150", "--batch-pieces", "100", "--workers", str(1 + seed % 2)]
    command = [sys.executable, "-m", "spacy", "bigbird", "apply", str(pipeline), *inputs, str(output), *options]
    for _ in range(3):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while not (output / "progress").exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(clock.uniform(0, 12))
        process.kill()
        process.wait()
    assert subprocess.run(command, capture_output=True).returncode == 3
    assert contents(output) == contents(expected)
