"""The settings of a pre-training run, as in its config file."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import Errors
from ..model.attention.api import ENGINE_NAMES
from .config_blocks import build_block, count, one_of, positive, setting, share


@dataclass(frozen=True)
class PathSettings:
    """The block `[paths]`.

    train (list[str]): files and folders with training texts. A single path does not need to be a list.
    dev (list[str] | None): files and folders with held-out texts.
    vocab (str | None): path of a spiece.model. If None, the vocabulary of the checkpoint `model.name` is used.
    """

    train: list[str]
    dev: list[str] | None = None
    vocab: str | None = None


@dataclass(frozen=True)
class ModelSettings:
    """The block `[model]`.

    name (str | None): checkpoint to start from: a directory or a name on the Hugging Face Hub. If None, training starts
        from random weights.
    revision (str | None): branch, tag or commit of `name` on the hub; None for the newest of the main branch.
    transformer_config (dict[str, Any]): fields of BigBirdConfig. Together with `name`, only those that do not change
        shapes.
    gradient_checkpointing (bool): whether layers keep only their input for the backward pass and recompute the rest.
    attention_engine (str): what computes the attention; "auto" for the fastest on the device.
    """

    name: str | None = None
    revision: str | None = None
    transformer_config: dict[str, Any] = field(default_factory=dict)
    gradient_checkpointing: bool = False
    attention_engine: str = one_of(*ENGINE_NAMES)


@dataclass(frozen=True)
class CorpusSettings:
    """The block `[corpus]`: how sequences are made from files.

    one_per_line (bool): whether each line of a .txt file is a document, rather than the whole file.
    streams (int): number of streams that the documents are distributed over. Each stream supplies the same share of
        every batch. The number of processes must divide it, but does not affect the data.
    shuffle_documents (int): number of documents per stream that are read ahead and shuffled. Nothing else is held in
        memory.
    shuffle_characters (int): limit on reading ahead if documents are long. Unit: characters.
    join_documents (bool): whether a sequence continues with the next document, after [SEP], when a document ends.
    prefetch_steps (int): number of batches to prepare ahead of time.
    tokenizer_threads (int): number of threads that split texts into pieces.
    """

    one_per_line: bool = False
    streams: int = count(1)
    shuffle_documents: int = count(512)
    shuffle_characters: int = count(4_000_000)
    join_documents: bool = True
    prefetch_steps: int = count(8)
    tokenizer_threads: int = count(1)


@dataclass(frozen=True)
class MaskingSettings:
    """The block `[masking]`.

    rate (float): share of the pieces to predict.
    mask_share (float): share of these that is replaced by [MASK].
    random_share (float): share of these that is replaced by another piece. The rest is kept.
    whole_words (bool): whether all pieces of a word are masked together.
    spans (bool): whether adjacent pieces (or words) are masked together, as in SpanBERT (Joshi et al. 2020).
    span_length (float): mean of the geometric distribution of span lengths. Unit: pieces or words.
    longest_span (int): maximum to which span lengths are clipped. Unit: pieces or words.
    """

    rate: float = setting(0.15, lambda value: 0 < value < 1, "a number between 0 and 1")
    mask_share: float = share(0.8)
    random_share: float = share(0.1)
    whole_words: bool = False
    spans: bool = False
    span_length: float = setting(5.0, lambda value: 1 <= value < math.inf, "a number of at least 1")
    longest_span: int = count(10)


@dataclass(frozen=True)
class OptimizerSettings:
    """The block `[training.optimizer]`: AdamW (Loshchilov and Hutter 2019). Biases and layer norms do not decay.

    learning_rate (float): the peak learning rate.
    beta1, beta2, eps, weight_decay (float): as in the paper.
    max_norm (float): maximum gradient norm; 0 disables clipping.
    """

    learning_rate: float = positive(1e-4)
    beta1: float = setting(0.9, lambda value: 0 <= value < 1, "a number from 0 to below 1")
    beta2: float = setting(0.98, lambda value: 0 <= value < 1, "a number from 0 to below 1")
    eps: float = positive(1e-6)
    weight_decay: float = setting(0.01, lambda value: 0 <= value < math.inf, "a number of at least 0")
    max_norm: float = setting(1.0, lambda value: 0 <= value < math.inf, "a number of at least 0")


@dataclass(frozen=True)
class ScheduleSettings:
    """The block `[training.schedule]`: how the learning rate changes.

    kind (str): "linear" or "cosine": shape of the decay after the warm-up.
    warmup_steps (int): number of steps in which the rate rises linearly from zero.
    final_share (float): rate at the end of the run, as a share of the peak rate.
    """

    kind: str = one_of("linear", "cosine")
    warmup_steps: int = count(0, least=0)
    final_share: float = share(0.0)


@dataclass(frozen=True)
class TrainingSettings:
    """The block `[training]`.

    max_steps (int): total number of weight updates.
    batch_pieces (int): maximum number of pieces per update, over all processes.
    micro_batch_pieces (int): maximum number of pieces that a process computes at a time. Gradients are accumulated over
        the batch.
    lengths (list[list[int]]): [step, pieces] pairs: the maximum sequence length from each step on, such as
        [[0, 512], [1000, 4096]].
    next_sentence (bool): whether to also learn to predict if the second half of a sequence follows the first.
    mixed_precision (bool): whether to compute in bfloat16 where that is safe. Weights stay in float32.
    seed (int): seed of everything random.
    device (str): "cpu", "cuda", or "auto", which uses a GPU if there is one.
    optimizer (OptimizerSettings): the block `[training.optimizer]`.
    schedule (ScheduleSettings): the block `[training.schedule]`.
    """

    max_steps: int = count(1000)
    batch_pieces: int = count(32768)
    micro_batch_pieces: int = count(16384)
    lengths: list[list[int]] = field(default_factory=lambda: [[0, 512]])
    next_sentence: bool = False
    mixed_precision: bool = False
    seed: int = count(0, least=0)
    device: str = one_of("auto", "cpu", "cuda")
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)

    def length_at(self, step: int) -> int:
        """Get the maximum sequence length of a step.

        step (int): the step, counted from 0.
        RETURNS (int): the maximum length. Unit: pieces.
        """
        return next(length for start, length in reversed(self.lengths) if start <= step)

    @property
    def longest(self) -> int:
        """Maximum sequence length of the whole run. Unit: pieces."""
        return max(length for _, length in self.lengths)


@dataclass(frozen=True)
class ReportSettings:
    """The block `[report]`: what is measured, written and kept, and how often. It does not affect the weights.

    log_every (int): steps between two lines of the log.
    evaluate_every (int): steps between two evaluations on `paths.dev`.
    evaluate_sequences (int): maximum number of held-out sequences to evaluate, from the start of the texts.
    save_every (int): steps between two saved states.
    keep (int): number of saved states to keep, the newest ones.
    curves (bool): whether to draw the log as curves.png whenever a state is saved, if Matplotlib is installed.
    measure_limit (bool): whether to measure briefly at the start how fast this machine multiplies matrices.
    """

    log_every: int = count(10)
    evaluate_every: int = count(500)
    evaluate_sequences: int = count(64)
    save_every: int = count(500)
    keep: int = count(2)
    curves: bool = True
    measure_limit: bool = True


@dataclass(frozen=True)
class PretrainingSettings:
    """A complete config file. Each field is one of its blocks."""

    paths: PathSettings
    model: ModelSettings = field(default_factory=ModelSettings)
    corpus: CorpusSettings = field(default_factory=CorpusSettings)
    masking: MaskingSettings = field(default_factory=MaskingSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    report: ReportSettings = field(default_factory=ReportSettings)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PretrainingSettings:
        """Check and convert the contents of a config file.

        values (Mapping[str, Any]): blocks and their settings, as in a `thinc.api.Config`.
        RETURNS (PretrainingSettings): the settings, with defaults filled in.
        RAISES ValueError: settings are unknown, missing or invalid; the message names all of them.
        """
        problems: list[str] = []
        settings = build_block(cls, values, "", problems)
        if not problems:
            problems += _contradictions(settings)
        if problems:
            raise ValueError(Errors.BB350.format(problems="\n".join(f"  {problem}" for problem in problems)))
        return settings

    def to_dict(self) -> dict[str, Any]:
        """Convert the settings to a dictionary.

        RETURNS (dict[str, Any]): the settings, as in a config file.
        """
        return dataclasses.asdict(self)


def _contradictions(settings: PretrainingSettings) -> list[str]:
    """Find conflicts between settings that are each valid on their own."""
    problems = []
    training, corpus = settings.training, settings.corpus
    pairs = [entry for entry in training.lengths if isinstance(entry, list) and [type(n) for n in entry] == [int, int]]
    starts = [start for start, _ in pairs]
    if not pairs or len(pairs) < len(training.lengths) or starts[0] != 0 or starts != sorted(set(starts)):
        return [f"training.lengths = {training.lengths!r}: expected [step, pieces] pairs with rising steps from 0"]
    if min(length for _, length in pairs) < 8:
        problems.append(f"training.lengths = {training.lengths!r}: expected sequences of at least 8 pieces")
    room = training.batch_pieces // corpus.streams
    if room < training.longest:
        problems.append(
            f"training.batch_pieces = {training.batch_pieces}: expected at least {corpus.streams * training.longest}, "
            f"a sequence of {training.longest} pieces for each of {corpus.streams} streams"
        )
    if settings.masking.mask_share + settings.masking.random_share > 1:
        problems.append("masking.mask_share + masking.random_share: expected at most 1 in total")
    if settings.model.name is None and settings.paths.vocab is None:
        problems.append("paths.vocab: must be given when model.name is not (python -m spacy bigbird train-vocab)")
    return problems
