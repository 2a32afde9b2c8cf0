"""What the benchmarks share: numbers that compare fairly, and reports that keep everything."""

import argparse
import json
import runpy
from pathlib import Path

import pytest

from .documentation import skip_without_flax


@pytest.fixture
def common(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent / "benchmarks"))
    import common

    return common


BENCHMARKS = sorted((Path(__file__).parents[1] / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_benchmarks_find_what_they_import(path, monkeypatch):
    skip_without_flax(path.stem)
    monkeypatch.syspath_prepend(str(path.parent))
    names = runpy.run_path(str(path), run_name="benchmark")
    assert names["__doc__"] and ("main" in names or path.stem in ("common", "contestants", "figures", "machine"))


def test_cases_run_in_turns_and_the_warm_up_is_not_counted(common):
    calls = []
    cases = {"first": lambda: calls.append("first"), "second": lambda: calls.append("second")}
    timings = common.interleaved(cases, repeats=2, warmup=1)
    assert calls == ["first", "second"] * 3
    assert [len(timing.seconds) for timing in timings.values()] == [2, 2]


def test_ratios_are_of_the_same_round(common):
    # The machine was ten times slower in the second round: the ratio does not see it.
    fast, slow = common.Timing([1.0, 10.0, 1.0]), common.Timing([2.0, 20.0, 2.0])
    assert fast.times_faster_than(slow) == 2.0 and slow.times_faster_than(fast) == 0.5
    assert fast.median == 1.0 and common.Timing([2.0]).spread == 0.0
    assert common.Timing([1.0, 2.0, 3.0]).spread == 0.25


def hold_memory(size: int):
    from common import watched_memory

    with watched_memory(interval=0.001) as memory:
        block = bytearray(b"1" * size)
        assert len(block)
    return memory


def test_memory_that_was_held_shows_in_the_peak(common):
    # In a process of its own: here, the C library may have that much left from other tests.
    memory = common.in_fresh_process(hold_memory, 64 * common.MEGABYTE)
    assert memory.rise >= 60 * common.MEGABYTE
    assert memory.peak >= memory.after > 0


def test_reports_keep_options_machine_and_every_key(common, tmp_path, capsys):
    options = common.parser("About.").parse_args(
        ["--json", str(tmp_path / "a" / "out.json"), "--plot", str(tmp_path / "out.png"), "--repeats", "3"]
    )
    rows = [{"name": "one", "seconds": 0.12345, "curve": [1, 2]}, {"name": "two", "seconds": 12345.6}]
    common.report("Title", options, ["name", "seconds"], rows, lambda axes: axes.plot([1, 2]), ["A note."])
    printed = capsys.readouterr().out
    assert "0.123" in printed and "12,346" in printed and "A note." in printed and "curve" not in printed
    saved = json.loads((tmp_path / "a" / "out.json").read_text())
    assert saved["rows"] == rows and saved["options"]["repeats"] == 3 and saved["notes"] == ["A note."]
    assert saved["machine"]["torch"] and saved["machine"]["cores"] >= 1
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_a_figure_that_could_not_be_drawn_is_refused_before_anything_is_measured(common, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        common.parser("About.").parse_args(["--plot", "out.png"])
    assert "pip install 'spacy-bigbird[plot]'" in capsys.readouterr().err


def test_options_are_read_from_the_environment(common, tmp_path, monkeypatch):
    monkeypatch.setenv("SPACY_BIGBIRD_DATA", str(tmp_path))
    assert common.data_dir() == tmp_path
    monkeypatch.delenv("SPACY_BIGBIRD_DATA")
    with pytest.raises(SystemExit):
        common.data_dir()
    assert isinstance(common.parser(None, threads=3).parse_args([]), argparse.Namespace)


def test_real_articles_are_whole(common, data_dir):
    texts = common.real_texts(data_dir, 3, min_characters=2000)
    assert len(texts) == 3 and min(map(len, texts)) >= 2000


def test_engines_are_compared_and_measured_without_a_gpu(common, tmp_path, monkeypatch):
    names = runpy.run_path(str(BENCHMARKS[0].with_name("gpu.py")), run_name="benchmark")
    given = argparse.Namespace(device="cpu", tiny=True, lengths=[128], layers=1, repeats=1)
    results = {(check["engine"], check["case"]): check["result"] for check in names["check_engines"](given)}
    assert {engine for engine, _ in results} == {"cpu", "torch", "flex"}
    for (engine, _), result in results.items():
        if engine == "flex":
            assert "BB701" in result
        else:
            assert all(float(word.rstrip(",")) < 1e-5 for word in result.split()[1::2]), result
