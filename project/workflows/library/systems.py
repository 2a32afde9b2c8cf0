"""The systems to compare, as configs derived from one base config per task and encoder.

- `bigbird`: reads the whole document at once.
- `strided`: the same encoder, which sees windows of 128 pieces at a stride of 96. A piece keeps the vector of the
  window in which it has the most context.
- `truncated`: the same encoder, which receives only the first 512 pieces, in training and in use, and predicts nothing
  after them.
- `tok2vec`: spaCy's own components for CPU, configured as by `spacy init config`.
"""

import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from spacy.cli.init_config import fill_config
from spacy.util import load_config

from spacy_bigbird.model import BigBirdConfig, BigBirdModel
from spacy_bigbird.tokenizer import BigBirdTokenizer

from .positions import add_neighbours

SYSTEMS = ("bigbird", "tok2vec", "strided", "truncated")
NAMES = {
    "bigbird": "BigBird, whole documents",
    "strided": "same encoder, windows of 128/96",
    "truncated": "same encoder, first 512 pieces",
    "tok2vec": "spaCy tok2vec",
}
WINDOW, OVERLAP = 128, 32
FIRST_PIECES = 512

# Dropout in the attention only slows down what can be learned from random weights in ten minutes. With few documents,
# more of it is needed elsewhere.
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {
        "hidden_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 256,
        "attention_probs_dropout_prob": 0.0,
        "hidden_dropout_prob": 0.2,
    },
    "small": {"hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 1024},
    "base": {},
}
# Peak learning rates: weights that are not pre-trained need, and tolerate, higher ones.
RATES = {"tiny": 2e-3, "small": 5e-4, "base": 1e-4}
# Those of pre-trained weights, by their maximum width: as `models/tiny`, as `models/small`, and of the usual sizes.
CHECKPOINT_RATES = ((256, 1e-3), (512, 2e-4), (math.inf, 5e-5))


@dataclass(frozen=True)
class Settings:
    """The settings that can be chosen in `project.yml`.

    size (str): "tiny", "small" or "base".
    checkpoint (str | None): folder or hub name to start from, which determines the size; None for random weights.
    gpu (int): id of the GPU, or -1 for the CPU.
    seed (int): seed of everything random.
    max_length (int): maximum number of pieces that the encoder reads at once.
    seconds (float): training time of each system. Unit: seconds.
    """

    size: str = "tiny"
    checkpoint: str | None = None
    gpu: int = -1
    seed: int = 0
    max_length: int = 4096
    seconds: float = 600.0

    @property
    def clock(self) -> str:
        """How training time is measured: "cpu" or "wall"."""
        return "cpu" if self.gpu < 0 else "wall"


def write_config(
    path: Path,
    base: Path,
    system: str,
    settings: Settings,
    corpus: Path,
    encoder: str = "bigbird",
    changes: dict[str, Any] | None = None,
    knows_neighbours: bool = False,
    question: int = 0,
) -> Path:
    """Write the complete config of a system.

    path (Path): the file.
    base (Path): the task's config for this kind of system.
    system (str): one of SYSTEMS.
    settings (Settings): the chosen settings.
    corpus (Path): folder of train.spacy, dev.spacy and spiece.model.
    encoder (str): name of the component with the encoder.
    changes (dict[str, Any] | None): further settings, by their dotted names.
    knows_neighbours (bool): whether random weights are initialized as in `positions`.
    question (int): room for a question in every window. Unit: pieces.
    RETURNS (Path): the file.
    """
    overrides: dict[str, Any] = {
        "paths.train": str(corpus / "train.spacy"),
        "paths.dev": str(corpus / "dev.spacy"),
        "paths.record": str(path.parent / "record"),
        "system.seed": settings.seed,
        "training.batcher.seconds": settings.seconds,
        "training.batcher.clock": settings.clock,
    }
    if settings.gpu >= 0:
        overrides["system.gpu_allocator"] = "pytorch"
    if system != "tok2vec":
        block = f"components.{encoder}.model"
        overrides |= encoder_changes(path.parent, system, settings, corpus, block, question)
        if knows_neighbours and settings.checkpoint is None:
            longest = overrides.pop(f"{block}.transformer_config")["max_position_embeddings"]
            vocabulary = overrides.pop(f"{block}.vocab_file")
            overrides[f"{block}.name"] = str(write_start(path.parent / "start", settings, vocabulary, longest))
    path.parent.mkdir(parents=True, exist_ok=True)
    load_config(base, {**overrides, **(changes or {})}, interpolate=False).to_disk(path)
    fill_config(path, path, silent=True)
    return path


def encoder_changes(
    folder: Path, system: str, settings: Settings, corpus: Path, block: str, question: int = 0
) -> dict[str, Any]:
    """Get the settings of a system's encoder.

    folder (Path): folder for a checkpoint with fewer positions.
    system (str): one of SYSTEMS.
    settings (Settings): the chosen settings.
    corpus (Path): folder of spiece.model.
    block (str): dotted name of the encoder's block.
    question (int): room for a question in every window. Unit: pieces.
    RETURNS (dict[str, Any]): the settings by their dotted names.
    """
    vocabulary, window = corpus / "spiece.model", WINDOW + 2 + question
    changes: dict[str, Any] = {}
    if settings.checkpoint is None:
        longest = window if system == "strided" else settings.max_length
        changes[f"{block}.vocab_file"] = changes["paths.tokenizer"] = str(vocabulary)
        changes[f"{block}.transformer_config"] = {**SIZES[settings.size], "max_position_embeddings": longest}
        changes["training.optimizer.learn_rate.rate"] = RATES[settings.size]
    else:
        changes[f"{block}.name"] = changes["paths.tokenizer"] = settings.checkpoint
        changes["training.optimizer.learn_rate.rate"] = checkpoint_rate(settings.checkpoint)
        if system == "strided":
            changes[f"{block}.name"] = str(shorten(settings.checkpoint, folder / "checkpoint", window))
    if system == "strided":
        changes[f"{block}.overlap"] = OVERLAP
    if system == "truncated":
        changes |= {"corpora.train.first_pieces": FIRST_PIECES, "corpora.dev.first_pieces": FIRST_PIECES}
    return changes


def checkpoint_rate(checkpoint: str) -> float:
    """RETURNS (float): peak learning rate for the weights of a checkpoint, given by its folder or hub name."""
    width = BigBirdConfig.from_pretrained(checkpoint).hidden_size
    return next(rate for widest, rate in CHECKPOINT_RATES if width <= widest)


def write_start(folder: Path, settings: Settings, vocabulary: str, positions: int) -> Path:
    """Write a checkpoint with random weights that attend to neighbours. Apart from the number of positions, they depend
    only on the settings.

    folder (Path): the folder, emptied first.
    settings (Settings): determine size, length and seed.
    vocabulary (str): path of a spiece.model.
    positions (int): number of positions to keep.
    RETURNS (Path): the folder.
    """
    tokenizer = BigBirdTokenizer(vocabulary)
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("pad", "bos", "eos", "sep")}
    shape = {**SIZES[settings.size], "max_position_embeddings": settings.max_length}
    torch.manual_seed(settings.seed)
    model = BigBirdModel(BigBirdConfig(**shape, **ids, vocab_size=tokenizer.vocab_size))
    add_neighbours(model)
    return _write_first_positions(folder, model, tokenizer, positions)


def shorten(checkpoint: str, folder: Path, positions: int) -> Path:
    """Write a copy of a checkpoint that keeps only the first positions, so that its windows are short.

    checkpoint (str): folder or hub name.
    folder (Path): the folder to write to, emptied first.
    positions (int): number of positions to keep.
    RETURNS (Path): the folder.
    """
    model, tokenizer = BigBirdModel.from_pretrained(checkpoint), BigBirdTokenizer.from_pretrained(checkpoint)
    return _write_first_positions(folder, model, tokenizer, positions)


def _write_first_positions(folder: Path, whole: BigBirdModel, tokenizer: BigBirdTokenizer, positions: int) -> Path:
    short = BigBirdModel(whole.config.replace(max_position_embeddings=positions))
    weights = whole.state_dict()
    name = "embeddings.position_embeddings.weight"
    weights[name] = weights[name][:positions]
    short.load_state_dict(weights)
    shutil.rmtree(folder, ignore_errors=True)
    short.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
