"""A complete config for a pipeline with a BigBird encoder."""

from copy import deepcopy
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

import spacy
from spacy import util
from spacy.language import Language
from thinc.api import Config

from ..errors import Errors
from ..errors.closest import did_you_mean
from .evaluate import make_reader

OUR_HEADS = {name: f"bigbird_{name}" for name in ("ner", "spancat", "textcat", "textcat_multilabel")}
OWN_ENCODER = {name: f"bigbird_{name}" for name in ("span_qa", "multiple_choice", "fill_mask")}
OURS = {**OUR_HEADS, **OWN_ENCODER}
ENCODER = "bigbird"


class Size(str, Enum):
    """Size of the encoder, which also determines whether it starts from a checkpoint."""

    small = "small"
    base = "base"
    large = "large"


class Optimize(str, Enum):
    """What to optimize for."""

    efficiency = "efficiency"
    accuracy = "accuracy"


class Reader(str, Enum):
    """What the corpora are: files that hold whatever the components need."""

    spacy = "spacy"
    jsonl = "jsonl"


SMALL = {"hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 1024}
# Weights that are not pre-trained need, and tolerate, a higher learning rate.
LEARNING_RATES = {Size.small: 3e-4, Size.base: 5e-5, Size.large: 2e-5}
# Passes over the corpus, as if all of its pieces were trained on each time, and evaluations without a better score.
PASSES, PATIENT_FOR = 40, 8


class Steps(NamedTuple):
    """How long to train.

    batch (int): maximum size of a batch. Unit: pieces.
    total (int): number of steps at most.
    evaluation (int): number of steps between evaluations.
    patience (int): number of steps without a better score after which training ends.
    warmup (int): number of steps in which the learning rate rises.
    """

    batch: int
    total: int
    evaluation: int
    patience: int
    warmup: int

    @classmethod
    def of(cls, pieces: int) -> "Steps":
        """Choose the numbers for a corpus.

        pieces (int): number of pieces of the training corpus.
        RETURNS (Steps): the numbers. Few documents get small batches, and a score after each pass.
        """
        batch = 8192 if pieces > 100 * 8192 else 4096
        updates = -(-pieces // batch)
        evaluation = min(200, max(20, updates))
        total = min(20000, max(20 * evaluation, PASSES * updates))
        return cls(batch, total, evaluation, PATIENT_FOR * evaluation, min(250, total // 20))


LARGE = Steps(8192, 20000, 200, 1600, 250)


def make_config(
    pipeline: list[str],
    *,
    lang: str = "en",
    size: Size = Size.base,
    optimize: Optimize = Optimize.accuracy,
    name: str | None = None,
    revision: str | None = None,
    vocab_file: str | None = None,
    reader: Reader = Reader.spacy,
    train: Path | None = None,
) -> Config:
    """Create a complete config, to which `spacy init fill-config` has nothing to add.

    pipeline (list[str]): names of the components, as in the command's help.
    lang (str): language code.
    size (Size): small is trained from scratch; base and large start from Google's checkpoints.
    optimize (Optimize): efficiency runs in bf16, accuracy in fp32.
    name (str | None): another checkpoint to start from.
    revision (str | None): branch, tag or commit of the checkpoint on the hub.
    vocab_file (str | None): SentencePiece model for an encoder trained from scratch. If None, spiece.model is used.
    reader (Reader): whether the corpora are .spacy files (or, for span_qa alone, SQuAD's .json) or JSON lines.
    train (Path | None): the training corpus, whose size decides on the numbers of steps; None for those of a large one.
    RETURNS (Config): the config, with variables.
    RAISES ValueError: there is no component, a language or component is unknown, or both a checkpoint and a vocabulary
        are given.
    """
    try:
        nlp = spacy.blank(lang)
    except ImportError as error:
        raise ValueError(Errors.BB322.format(lang=lang, reason=str(error).rstrip("."))) from error
    # Both names of a component are good: ner and bigbird_ner.
    pipeline = [part.removeprefix("bigbird_") if part.removeprefix("bigbird_") in OURS else part for part in pipeline]
    unknown = [part for part in pipeline if part not in OURS and not nlp.has_factory(part)]
    if unknown:
        stock = sorted(name for name in Language.factories if "." not in name and name not in OURS.values())
        hint = did_you_mean(unknown, [*OURS, *stock])
        raise ValueError(
            Errors.BB663.format(unknown=", ".join(unknown), hint=hint, ours=", ".join(OURS), stock=", ".join(stock))
        )
    if not pipeline or len(set(pipeline)) < len(pipeline):
        found = ", ".join(pipeline) or "nothing"
        raise ValueError(Errors.BB383.format(name="pipeline", value=found, expected="names of different components"))
    if name is not None and vocab_file is not None:
        expected = "no vocabulary along with a checkpoint, which brings its own"
        raise ValueError(Errors.BB383.format(name="vocab_file", value=vocab_file, expected=expected))
    is_from_scratch = name is None and (size is Size.small or vocab_file is not None)
    model = {**_encoder(size, optimize, name, is_from_scratch), "revision": revision}
    components: dict[str, Any] = {}
    if any(part not in OWN_ENCODER for part in pipeline):
        block = {"@architectures": "spacy-bigbird.BigBirdModel.v1", **model}
        components[ENCODER] = {"factory": ENCODER, "model": block}
    for part in pipeline:
        if part in OWN_ENCODER:
            components[OWN_ENCODER[part]] = {"factory": OWN_ENCODER[part], "model": deepcopy(model)}
        elif part in OUR_HEADS:
            components[OUR_HEADS[part]] = {"factory": OUR_HEADS[part]}
        elif part != ENCODER:
            components[part] = _stock_component(nlp, part)
    if optimize is Optimize.efficiency and "bigbird_ner" in components:
        components["bigbird_ner"]["decoder"] = "constrained"
    paths: dict[str, Any] = {"train": None, "dev": None}
    if is_from_scratch:
        paths["vocab_file"] = vocab_file or "spiece.model"
    config = Config(
        {
            "paths": paths,
            "system": {"gpu_allocator": "pytorch", "seed": 0},
            "nlp": {"lang": lang, "pipeline": list(components), "batch_size": 16},
            "components": components,
            "corpora": {part: {**_reader(pipeline, reader), "path": f"${{paths.{part}}}"} for part in ("train", "dev")},
            "training": _training(
                size if name is None else Size.base,
                is_from_scratch,
                LARGE if train is None else Steps.of(_count_pieces(train, nlp)),
                # A stretch rarely contains what decides between the options of a question about the document.
                has_stretches="multiple_choice" not in pipeline,
            ),
        }
    )
    return util.load_model_from_config(config, auto_fill=True).config


def _count_pieces(path: Path, nlp: Language) -> int:
    """Estimate the pieces that one pass over a corpus has. RAISES ValueError: there is no such corpus."""
    from ..corpora.batchers import PieceBatcher

    count = PieceBatcher(1).count_pieces
    return sum(count(example) for example in make_reader(path)(nlp))


def _encoder(size: Size, optimize: Optimize, name: str | None, is_from_scratch: bool) -> dict[str, Any]:
    is_fast = optimize is Optimize.efficiency
    model: dict[str, Any] = {"precision": "bf16" if is_fast else "fp32", "mixed_precision": is_fast}
    if is_from_scratch:
        shape = SMALL if size is Size.small else {}
        return {**model, "name": None, "vocab_file": "${paths.vocab_file}", "transformer_config": dict(shape)}
    return {**model, "name": name or f"google/bigbird-roberta-{size.value}"}


def _stock_component(nlp: Language, name: str) -> dict[str, Any]:
    """Create the config of one of spaCy's components. If it contains an encoder, it listens to ours instead."""
    settings = deepcopy(dict(nlp.get_factory_meta(name).default_config or {}))
    model = settings.get("model")
    if not isinstance(model, dict) or "tok2vec" not in model:
        return {"factory": name}
    listener = {
        "@architectures": "spacy-transformers.TransformerListener.v1",
        "grad_factor": 1.0,
        "upstream": "*",
        "pooling": {"@layers": "reduce_mean.v1"},
    }
    return {"factory": name, "model": {**model, "tok2vec": listener}}


def _reader(pipeline: list[str], reader: Reader) -> dict[str, Any]:
    if reader is Reader.jsonl:
        return {"@readers": "spacy-bigbird.JsonlCorpus.v1"}
    if pipeline == ["span_qa"]:
        return {"@readers": "spacy-bigbird.SquadCorpus.v1"}
    if any(part in OWN_ENCODER for part in pipeline):
        return {"@readers": "spacy-bigbird.QuestionCorpus.v1"}
    # The length is not limited, since the encoder is meant for whole documents.
    return {"@readers": "spacy.Corpus.v1", "max_length": 0}


def _training(size: Size, is_from_scratch: bool, steps: "Steps", has_stretches: bool) -> dict[str, Any]:
    rate = LEARNING_RATES[Size.small if is_from_scratch else size]
    # The rate follows the length of the training, also if it is changed on the command line or when resuming.
    schedule = {
        "@schedules": "spacy-bigbird.warmup_linear.v1",
        "warmup_steps": steps.warmup,
        "total_steps": "${training.max_steps}",
    }
    batcher: dict[str, Any] = {"@batchers": "spacy-bigbird.batch_by_pieces.v1", "size": steps.batch}
    if is_from_scratch:
        batcher["vocab_file"] = "${paths.vocab_file}"
    if has_stretches:
        # The last stretches come before training may end for lack of patience, so that it always gets to documents.
        until = [steps.patience // 2, steps.patience]
        stretches = {"@batchers": "spacy-bigbird.stretches.v1", "until": until, "total_steps": "${training.max_steps}"}
        batcher = {**stretches, "batcher": batcher}
    return {
        "train_corpus": "corpora.train",
        "dev_corpus": "corpora.dev",
        "seed": "${system.seed}",
        "gpu_allocator": "${system.gpu_allocator}",
        "max_steps": steps.total,
        "eval_frequency": steps.evaluation,
        "patience": steps.patience,
        "batcher": batcher,
        "logger": {
            "@loggers": "spacy-bigbird.ResumableLogger.v1",
            "logger": {"@loggers": "spacy.ConsoleLogger.v1", "progress_bar": False},
        },
        "optimizer": {"@optimizers": "Adam.v1", "learn_rate": {**schedule, "initial_rate": rate}},
    }
