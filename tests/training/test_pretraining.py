"""Whole runs: they learn, their output loads everywhere, and neither a kill nor a second process changes the result."""

import dataclasses
import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from thinc.api import Config

from spacy_bigbird.model import BigBirdForMaskedLM, BigBirdForPreTraining, BigBirdModel
from spacy_bigbird.tokenizer import BigBirdTokenizer
from spacy_bigbird.training.pretraining import Run, pretrain
from spacy_bigbird.training.pretraining_log import read_log
from spacy_bigbird.training.pretraining_settings import PretrainingSettings
from spacy_bigbird.training.pretraining_state import RunState
from spacy_bigbird.training.processes import Processes

from .toy_run import NO_DROPOUT, TOY_MODEL, run_one_of_two, toy_blocks, toy_settings, write_corpus

SENTENCE = "the captain reads the letter of the king in the evening and the doctor writes an answer to the queen"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus") / "corpus.txt")


@pytest.fixture(scope="module")
def whole(corpus, vocab_file, tmp_path_factory) -> tuple[PretrainingSettings, Path]:
    """A run of eight steps with dropout that nothing interrupted."""
    settings = toy_settings(corpus, vocab_file)
    output = tmp_path_factory.mktemp("whole")
    pretrain(settings, output)
    return settings, output


def weights(output: Path) -> dict[str, torch.Tensor]:
    return BigBirdForMaskedLM.from_pretrained(output).state_dict()


def assert_same_weights(first: Path, second: Path) -> None:
    ours, theirs = weights(first), weights(second)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def losses(output: Path) -> list[float]:
    return [line["loss"] for line in read_log(output / "log.jsonl") if line["kind"] == "train"]


def learning_settings(tmp_path: Path, vocab: Path, **training) -> PretrainingSettings:
    """Forty copies of two sentences, which a model can learn by heart in fifty steps."""
    lines = [" ".join(SENTENCE.split()[number % 2 :] * 2) for number in range(40)]
    path = tmp_path / "sentences.txt"
    path.write_text("\n".join(lines), encoding="utf8")
    return toy_settings(
        path,
        vocab,
        paths={"dev": str(path)},
        model={"transformer_config": {**TOY_MODEL, "hidden_size": 64, "full_attention_up_to": 128, **NO_DROPOUT}},
        corpus={"join_documents": False, "streams": 1, "shuffle_documents": 512},
        training={
            "max_steps": 50,
            "batch_pieces": 1024,
            "lengths": [[0, 32], [10, 64]],
            "optimizer": {"learning_rate": 0.01},
            "schedule": {"warmup_steps": 5},
            **training,
        },
        report={"log_every": 10, "evaluate_every": 25, "curves": True},
    )


def test_fifty_steps_learn_a_toy_corpus(tmp_path, vocab_file):
    settings = learning_settings(tmp_path, vocab_file)
    output = tmp_path / "output"
    result = pretrain(settings, output)
    lines = read_log(output / "log.jsonl")
    train, dev = ([line for line in lines if line["kind"] == kind] for kind in ("train", "dev"))
    assert [line["step"] for line in train] == [10, 20, 30, 40, 50] and [line["step"] for line in dev] == [25, 50]
    assert train[0]["loss"] > 3 and train[-1]["loss"] < 0.5 and dev[-1]["loss"] < 0.5
    assert dev[-1]["masked_accuracy"] > 0.9
    assert dev[-1]["perplexity"] == pytest.approx(np.exp(dev[-1]["loss"]))
    assert 0 < dev[-1]["bits_per_character"] < 0.2
    assert [line["length"] for line in train] == [32, 64, 64, 64, 64]
    assert all(line["pieces_per_second"] > 0 and 0 <= line["waiting"] <= 1 for line in train)
    assert result["dev"]["loss"] == dev[-1]["loss"]
    assert (output / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_with_next_sentences_gives_a_checkpoint_with_both_heads(corpus, vocab_file, tmp_path):
    settings = toy_settings(corpus, vocab_file, training={"next_sentence": True, "max_steps": 3})
    result = pretrain(settings, tmp_path / "output")
    assert 0.4 < result["next_sentence_loss"] < 1.2
    theirs = transformers.BigBirdForPreTraining.from_pretrained(tmp_path / "output", attention_type="original_full")
    ours = BigBirdForPreTraining.from_pretrained(tmp_path / "output", attention_type="original_full")
    ids = torch.randint(101, 800, (2, 20), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected, found = theirs.eval()(input_ids=ids), ours(input_ids=ids)
    torch.testing.assert_close(found.seq_relationship_logits, expected.seq_relationship_logits, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.prediction_logits, expected.prediction_logits, atol=1e-4, rtol=0)


def test_the_output_is_a_checkpoint(whole, vocab_file):
    _, output = whole
    tokenizer = BigBirdTokenizer.from_pretrained(output)
    assert tokenizer.to_bytes() == vocab_file.read_bytes()
    config = BigBirdModel.from_pretrained(output).config
    assert config.vocab_size == tokenizer.vocab_size
    assert (config.pad_token_id, config.bos_token_id, config.eos_token_id, config.sep_token_id) == (0, 2, 1, 66)
    theirs, report = transformers.BigBirdForMaskedLM.from_pretrained(
        output, attention_type="original_full", output_loading_info=True
    )
    assert not any(report.values())
    ours = BigBirdForMaskedLM.from_pretrained(output, attention_type="original_full")
    ids = torch.tensor([tokenizer("The captain reads a letter.").ids])
    with torch.no_grad():
        torch.testing.assert_close(ours(ids).logits, theirs.eval()(ids).logits, atol=1e-4, rtol=0)
    written = Config().from_disk(output / "config.cfg")
    assert PretrainingSettings.from_dict(written) == whole[0]
    assert not list(output.rglob("*.part"))


def test_a_run_goes_on_from_a_checkpoint(whole, corpus, tmp_path):
    _, start = whole
    blocks = toy_blocks(corpus, start / "spiece.model", training={"max_steps": 1, "optimizer": {"learning_rate": 1e-9}})
    blocks["paths"].pop("vocab")
    blocks["model"] = {"name": str(start), "transformer_config": {"hidden_dropout_prob": 0.0, "random_pattern": "none"}}
    pretrain(PretrainingSettings.from_dict(blocks), tmp_path)
    before, after = weights(start), weights(tmp_path)
    for name in before:
        torch.testing.assert_close(after[name], before[name], atol=1e-7, rtol=0)
    assert BigBirdModel.from_pretrained(tmp_path).config.random_pattern == "none"
    assert (tmp_path / "spiece.model").read_bytes() == (start / "spiece.model").read_bytes()


def test_the_same_seed_gives_the_same_weights_and_another_does_not(whole, tmp_path):
    settings, output = whole
    pretrain(settings, tmp_path / "again")
    assert_same_weights(output, tmp_path / "again")
    other = dataclasses.replace(settings, training=dataclasses.replace(settings.training, seed=1, max_steps=1))
    pretrain(other, tmp_path / "other")
    assert losses(tmp_path / "other")[0] != losses(output)[0]


class Killed(Exception):
    pass


@pytest.mark.parametrize("stop", [1, 3, 6])
def test_a_resumed_run_ends_with_the_same_weights(whole, tmp_path, monkeypatch, stop):
    settings, output = whole
    settings = dataclasses.replace(settings, report=dataclasses.replace(settings.report, save_every=1))
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


def command(blocks: dict, output: Path, folder: Path, *options: str) -> list[str]:
    Config(blocks).to_disk(folder / "run.cfg")
    return [sys.executable, "-m", "spacy", "bigbird", "pretrain", str(folder / "run.cfg"), str(output), *options]


def test_a_killed_run_goes_on_as_if_nothing_had_happened(corpus, vocab_file, tmp_path):
    blocks = toy_blocks(corpus, vocab_file, training={"max_steps": 30}, report={"save_every": 1})
    stop = random.Random(os.getpid()).randint(1, 12)
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    killed = tmp_path / "killed"
    process = subprocess.Popen(
        command(blocks, killed, tmp_path), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        while not any(int(path.stem[5:]) >= stop for path in (killed / "resume").glob("step-*.pt")):
            if process.poll() is not None:
                raise AssertionError(process.stdout.read().decode())
            time.sleep(0.002)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
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


def without_dropout(corpus: Path, vocab: Path) -> dict:
    return toy_blocks(
        corpus,
        vocab,
        paths={"dev": str(corpus)},
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


def test_two_processes_learn_what_one_learns(corpus, vocab_file, tmp_path):
    blocks = without_dropout(corpus, vocab_file)
    context, port = multiprocessing.get_context("spawn"), free_port()
    both = [context.Process(target=run_one_of_two, args=(n, port, blocks, tmp_path / "two")) for n in range(2)]
    for process in both:
        process.start()
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
def test_launchers_start_two_processes(corpus, vocab_file, tmp_path, launcher):
    blocks = without_dropout(corpus, vocab_file)
    if launcher == ["torch"]:
        launcher = ["torch.distributed.run", "--nproc_per_node=2"]
    port = f"{'--main_process_port' if 'accelerate' in launcher[0] else '--master_port'}={free_port()}"
    program = command(blocks, tmp_path / "two", tmp_path)
    arguments = [sys.executable, "-m", *launcher, port, *program[1:]]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("Wrote the checkpoint") == 1
    pretrain(PretrainingSettings.from_dict(blocks), tmp_path / "one")
    assert_same_reports(tmp_path / "one", tmp_path / "two")


def test_texts_without_a_known_piece_change_nothing_but_by_decay(vocab_file, tmp_path):
    text = tmp_path / "unknown.txt"
    text.write_text("\u4e2d \u56fd\n\u4e2d\n", encoding="utf8")
    settings = toy_settings(text, vocab_file, corpus={"streams": 1}, training={"max_steps": 2})
    result = pretrain(settings, tmp_path / "output")
    # The mark of a word's start may be a piece of its own; it is all that could be masked.
    assert np.isfinite(result["loss"])
    assert all(weight.isfinite().all() for weight in weights(tmp_path / "output").values())


def test_a_run_that_loses_its_numbers_stops_and_keeps_the_last_state(corpus, vocab_file, tmp_path):
    settings = toy_settings(corpus, vocab_file, report={"save_every": 1})
    pretrain(dataclasses.replace(settings, training=dataclasses.replace(settings.training, max_steps=2)), tmp_path)
    optimizer = dataclasses.replace(settings.training.optimizer, learning_rate=1e38)
    high = dataclasses.replace(settings.training, optimizer=optimizer)
    with pytest.raises(FloatingPointError, match=r"BB357.*--resume"):
        pretrain(dataclasses.replace(settings, training=high), tmp_path, resume=True)
    state = RunState.newest(tmp_path)
    assert state is not None and all(weight.isfinite().all() for weight in state.model.values())


def test_streams_must_be_shared_evenly(corpus, vocab_file, tmp_path):
    processes = Processes("cpu")
    processes.count = 3
    with pytest.raises(ValueError, match=r"BB352.*3 processes and corpus\.streams = 2"):
        Run(toy_settings(corpus, vocab_file), tmp_path, processes, resume=False)


@pytest.mark.parametrize("blocks", [{"mixed_precision": True}, {"micro_batch_pieces": 64}])
def test_precision_and_parts_hardly_change_a_run(corpus, vocab_file, tmp_path, blocks):
    model = {"transformer_config": {**TOY_MODEL, **NO_DROPOUT}}
    for name, training in (("plain", {}), ("changed", blocks)):
        how = {**model, "gradient_checkpointing": name == "changed"}
        pretrain(toy_settings(corpus, vocab_file, model=how, training={"max_steps": 3, **training}), tmp_path / name)
    tolerance = 0.03 if "mixed_precision" in blocks else 1e-5
    assert losses(tmp_path / "changed") == pytest.approx(losses(tmp_path / "plain"), abs=tolerance)
