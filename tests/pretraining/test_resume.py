"""Neither a kill nor a second process changes the result of a run."""

import os
import random
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from thinc.api import Config

from spacy_bigbird.pretraining.log import read_log
from spacy_bigbird.pretraining.processes import Processes
from spacy_bigbird.pretraining.run import Run, pretrain
from spacy_bigbird.pretraining.settings import PretrainingSettings
from spacy_bigbird.pretraining.state import RunState

from ..processes import start, start_spacy
from .toy_run import (
    NO_DROPOUT,
    TOY_MODEL,
    assert_same_weights,
    losses,
    run_one_of_two,
    toy_blocks,
    toy_settings,
    weights,
)


class Killed(Exception):
    pass


@pytest.mark.parametrize("stop", [1, 3, 6])
def test_a_resumed_run_ends_with_the_same_weights(whole_run, tmp_path, monkeypatch, stop):
    settings, output = whole_run
    settings = settings.model_copy(update={"report": settings.report.model_copy(update={"save_every": 1})})
    step = Run.step

    def step_until(self, data, window):
        if data.step == stop + 1:
            raise Killed
        step(self, data, window)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "step", step_until)
        with pytest.raises(Killed):
            pretrain(settings, tmp_path)
    assert [path.name for path in sorted((tmp_path / "resume").iterdir())][-1] == f"step-{stop + 1:09d}.pt"
    assert len(list((tmp_path / "resume").iterdir())) == min(2, stop + 1)
    # A line that was cut off in the middle, as a kill may leave it.
    with (tmp_path / "log.jsonl").open("a", encoding="utf8") as log:
        log.write('{"kind": "tra')
    pretrain(settings, tmp_path, resume=True)
    assert_same_weights(output, tmp_path)
    assert losses(tmp_path) == losses(output)


def test_what_a_kill_left_undone_is_made_up_for(whole_run, tmp_path):
    """Killed between the last state and its checkpoint: nothing is left to train, but the checkpoint is written."""
    settings, output = whole_run
    shutil.copytree(output, tmp_path / "run")
    (tmp_path / "run" / "model.safetensors").unlink()
    (tmp_path / "run" / "spiece.model").unlink()
    pretrain(settings, tmp_path / "run", resume=True)
    assert_same_weights(output, tmp_path / "run")
    assert (tmp_path / "run" / "spiece.model").read_bytes() == (output / "spiece.model").read_bytes()


def test_a_resumed_run_takes_the_optimizer_that_its_settings_name(whole_run, tmp_path):
    settings, output = whole_run
    shutil.copytree(output, tmp_path / "run")
    optimizer = settings.training.optimizer.model_copy(update={"weight_decay": 0.5, "learning_rate": 0.1})
    changed = settings.model_copy(update={"training": settings.training.model_copy(update={"optimizer": optimizer})})
    run = Run(changed, tmp_path / "run", Processes(), resume=True)
    assert {group["weight_decay"] for group in run.optimizer.param_groups} == {0.5, 0.0}
    assert all(len(run.optimizer.state[weight]) for group in run.optimizer.param_groups for weight in group["params"])


def command(blocks: dict, output: Path, folder: Path) -> list[str]:
    """The arguments of `python -m spacy`."""
    Config(blocks).to_disk(folder / "run.cfg")
    return ["bigbird", "pretrain", str(folder / "run.cfg"), str(output)]


def test_a_killed_run_goes_on_as_if_nothing_had_happened(toy_corpus, vocab_file, tmp_path):
    blocks = toy_blocks(toy_corpus, vocab_file, training={"max_steps": 30}, report={"save_every": 1})
    stop = random.Random(os.getpid()).randint(1, 12)
    killed = tmp_path / "killed"
    process = start_spacy(command(blocks, killed, tmp_path), tmp_path / "printed")
    try:
        while not any(int(path.stem[5:]) >= stop for path in (killed / "resume").glob("step-*.pt")):
            assert process.is_alive(), (tmp_path / "printed").read_text()
            time.sleep(0.002)
    finally:
        process.kill()
        process.join()
    # As if it had been killed while it wrote.
    (killed / ".model.safetensors.0123456789abcdef.part").touch()
    state = RunState.newest(killed)
    assert state is not None and stop <= state.step < 30
    settings = PretrainingSettings.from_dict(blocks)
    pretrain(settings, killed, resume=True)
    pretrain(settings, tmp_path / "whole")
    assert_same_weights(killed, tmp_path / "whole")
    assert losses(killed) == losses(tmp_path / "whole")
    assert not list(killed.rglob("*.part"))


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def without_dropout(toy_corpus: Path, vocab: Path) -> dict:
    return toy_blocks(
        toy_corpus,
        vocab,
        paths={"dev": str(toy_corpus)},
        model={"transformer_config": {**TOY_MODEL, **NO_DROPOUT}},
        # Several parts per step, and not as many in each process.
        training={"micro_batch_pieces": 150, "next_sentence": True},
        report={"evaluate_every": 4, "evaluate_sequences": 7},
    )


def assert_same_reports(first: Path, second: Path) -> None:
    pairs = list(zip(read_log(first / "log.jsonl"), read_log(second / "log.jsonl"), strict=True))
    assert len(pairs) == 10
    names = ("loss", "masked_accuracy", "next_sentence_loss", "next_sentence_accuracy", "gradient_norm")
    for one, other in pairs:
        for name in {*names, "bits_per_character"} & set(one):
            assert one[name] == pytest.approx(other[name], abs=1e-4), name
    ours, theirs = weights(first), weights(second)
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], atol=1e-4, rtol=0)


def test_two_processes_learn_what_one_learns(toy_corpus, vocab_file, tmp_path):
    blocks = without_dropout(toy_corpus, vocab_file)
    port = free_port()
    both = [start(run_one_of_two, n, port, blocks, tmp_path / "two") for n in range(2)]
    pretrain(PretrainingSettings.from_dict(blocks), tmp_path / "one")
    for process in both:
        process.join(timeout=120)
        assert process.exitcode == 0
    assert_same_reports(tmp_path / "one", tmp_path / "two")
    # One process goes on where two have stopped: the data's position is that of all streams.
    state = RunState.newest(tmp_path / "two")
    alone = RunState.newest(tmp_path / "one")
    assert state is not None and alone is not None and state.cursors == alone.cursors and len(state.cursors) == 2


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [["accelerate.commands.launch", "--cpu", "--num_processes=2"], ["torch"]])
def test_launchers_start_two_processes(toy_corpus, vocab_file, tmp_path, launcher):
    blocks = without_dropout(toy_corpus, vocab_file)
    if launcher == ["torch"]:
        launcher = ["torch.distributed.run", "--nproc_per_node=2"]
    port = f"{'--main_process_port' if 'accelerate' in launcher[0] else '--master_port'}={free_port()}"
    program = ["-m", "spacy", *command(blocks, tmp_path / "two", tmp_path)]
    arguments = [sys.executable, "-m", *launcher, port, *program]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("Wrote the checkpoint") == 1
    pretrain(PretrainingSettings.from_dict(blocks), tmp_path / "one")
    assert_same_reports(tmp_path / "one", tmp_path / "two")


def test_streams_must_be_shared_evenly(toy_corpus, vocab_file, tmp_path):
    processes = Processes("cpu")
    processes.count = 3
    with pytest.raises(ValueError, match=r"BB352.*3 processes and corpus\.streams = 2"):
        Run(toy_settings(toy_corpus, vocab_file), tmp_path, processes, resume=False)


def test_a_run_that_loses_its_numbers_stops_and_keeps_the_last_state(toy_corpus, vocab_file, tmp_path):
    settings = toy_settings(toy_corpus, vocab_file, report={"save_every": 1})
    pretrain(settings.model_copy(update={"training": settings.training.model_copy(update={"max_steps": 2})}), tmp_path)
    optimizer = settings.training.optimizer.model_copy(update={"learning_rate": 1e38})
    high = settings.training.model_copy(update={"optimizer": optimizer})
    with pytest.raises(FloatingPointError, match=r"BB357.*--resume"):
        pretrain(settings.model_copy(update={"training": high}), tmp_path, resume=True)
    state = RunState.newest(tmp_path)
    assert state is not None and all(weight.isfinite().all() for weight in state.model.values())
