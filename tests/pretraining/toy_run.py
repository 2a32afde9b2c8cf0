"""Toy runs that several tests share, and what to compare of them."""

import os
from pathlib import Path
from typing import Any

import torch

from spacy_bigbird.model import BigBirdForMaskedLM
from spacy_bigbird.pretraining.log import read_log
from spacy_bigbird.pretraining.run import pretrain
from spacy_bigbird.pretraining.settings import PretrainingSettings

from ..toy_text import toy_text

TOY_MODEL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 128,
    "block_size": 16,
    "full_attention_up_to": 32,
    "initializer_range": 0.05,
}
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def write_corpus(path: Path, number: int = 24) -> Path:
    """Write toy documents of different lengths, one a line."""
    path.write_text("\n".join(toy_text(seed, 2 + seed % 5) for seed in range(number)), encoding="utf8")
    return path


def toy_blocks(train: Path, vocab: Path, **blocks: dict[str, Any]) -> dict[str, Any]:
    """A config of few small steps. Keyword arguments are blocks whose settings replace those here."""
    wanted: dict[str, Any] = {
        "paths": {"train": str(train), "vocab": str(vocab)},
        "model": {"transformer_config": dict(TOY_MODEL)},
        "corpus": {"one_per_line": True, "streams": 2, "shuffle_documents": 4},
        "training": {"max_steps": 8, "batch_pieces": 512, "lengths": [[0, 32], [3, 128]], "device": "cpu"},
        "report": {"log_every": 1, "measure_limit": False, "curves": False},
    }
    for name, settings in blocks.items():
        wanted[name] = {**wanted.get(name, {}), **settings}
    return wanted


def toy_settings(train: Path, vocab: Path, **blocks: dict[str, Any]) -> PretrainingSettings:
    """The same, checked."""
    return PretrainingSettings.from_dict(toy_blocks(train, vocab, **blocks))


def run_one_of_two(number: int, port: int, blocks: dict[str, Any], output: Path) -> None:
    """Run in a process of its own, with the environment that torchrun and accelerate launch give it."""
    os.environ |= {"RANK": str(number), "LOCAL_RANK": str(number), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    pretrain(PretrainingSettings.from_dict(blocks), output)


def weights(output: Path) -> dict[str, torch.Tensor]:
    return BigBirdForMaskedLM.from_pretrained(output).state_dict()


def assert_same_weights(first: Path, second: Path) -> None:
    ours, theirs = weights(first), weights(second)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def losses(output: Path) -> list[float]:
    return [line["loss"] for line in read_log(output / "log.jsonl") if line["kind"] == "train"]
