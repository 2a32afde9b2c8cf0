"""The settings of a pre-training run, as in its config file."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from ..errors import Errors
from ..model.attention.api import ENGINE_NAMES
from ..rules import Count, CountOrZero, NotNegative, Positive, Settings, Share, one_of, problems

Momentum = Annotated[float, Field(ge=0, lt=1, description="a number from 0 to below 1")]
# A single path does not need to be a list.
Paths = Annotated[list[str], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]
LENGTHS = "[step, pieces] pairs with rising steps from 0"


def _rising_from_zero(pairs: list[list[int]]) -> list[list[int]]:
    starts = [pair[0] for pair in pairs if len(pair) == 2]
    if len(starts) < len(pairs) or starts[:1] != [0] or starts != sorted(set(starts)):
        raise ValueError(LENGTHS)
    if min(length for _, length in pairs) < 8:
        raise ValueError("sequences of at least 8 pieces")
    return pairs


Lengths = Annotated[list[list[int]], Field(description=LENGTHS), AfterValidator(_rising_from_zero)]


class PathSettings(Settings):
    """The block `[paths]`.

    train (list[str]): files and folders with training texts. A single path does not need to be a list.
    dev (list[str] | None): files and folders with held-out texts.
    vocab (str | None): path of a spiece.model. If None, the vocabulary of the checkpoint `model.name` is used.
    """

    train: Paths
    dev: Paths | None = None
    vocab: str | None = None


class ModelSettings(Settings):
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
    transformer_config: dict[str, Any] = Field(default_factory=dict)
    gradient_checkpointing: bool = False
    attention_engine: Annotated[str, one_of(ENGINE_NAMES)] = ENGINE_NAMES[0]


class CorpusSettings(Settings):
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
    streams: Count = 1
    shuffle_documents: Count = 512
    shuffle_characters: Count = 4_000_000
    join_documents: bool = True
    prefetch_steps: Count = 8
    tokenizer_threads: Count = 1


class MaskingSettings(Settings):
    """The block `[masking]`.

    rate (float): share of the pieces to predict.
    mask_share (float): share of these that is replaced by [MASK].
    random_share (float): share of these that is replaced by another piece. The rest is kept.
    whole_words (bool): whether all pieces of a word are masked together.
    spans (bool): whether adjacent pieces (or words) are masked together, as in SpanBERT (Joshi et al. 2020).
    span_length (float): mean of the geometric distribution of span lengths. Unit: pieces or words.
    longest_span (int): maximum to which span lengths are clipped. Unit: pieces or words.
    """

    rate: Annotated[float, Field(gt=0, lt=1, description="a number between 0 and 1")] = 0.15
    mask_share: Share = 0.8
    random_share: Share = 0.1
    whole_words: bool = False
    spans: bool = False
    span_length: Annotated[float, Field(ge=1, description="a number of at least 1")] = 5.0
    longest_span: Count = 10


class OptimizerSettings(Settings):
    """The block `[training.optimizer]`: AdamW (Loshchilov and Hutter 2019). Biases and layer norms do not decay.

    learning_rate (float): the peak learning rate.
    beta1, beta2, eps, weight_decay (float): as in the paper.
    max_norm (float): maximum gradient norm; 0 disables clipping.
    """

    learning_rate: Positive = 1e-4
    beta1: Momentum = 0.9
    beta2: Momentum = 0.98
    eps: Positive = 1e-6
    weight_decay: NotNegative = 0.01
    max_norm: NotNegative = 1.0


class ScheduleSettings(Settings):
    """The block `[training.schedule]`: how the learning rate changes.

    kind (str): "linear" or "cosine": shape of the decay after the warm-up.
    warmup_steps (int): number of steps in which the rate rises linearly from zero.
    final_share (float): rate at the end of the run, as a share of the peak rate.
    """

    kind: Literal["linear", "cosine"] = "linear"
    warmup_steps: CountOrZero = 0
    final_share: Share = 0.0


class TrainingSettings(Settings):
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

    max_steps: Count = 1000
    batch_pieces: Count = 32768
    micro_batch_pieces: Count = 16384
    lengths: Lengths = Field(default_factory=lambda: [[0, 512]])
    next_sentence: bool = False
    mixed_precision: bool = False
    seed: CountOrZero = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    optimizer: OptimizerSettings = OptimizerSettings()
    schedule: ScheduleSettings = ScheduleSettings()

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


class ReportSettings(Settings):
    """The block `[report]`: what is measured, written and kept, and how often. It does not affect the weights.

    log_every (int): steps between two lines of the log.
    evaluate_every (int): steps between two evaluations on `paths.dev`.
    evaluate_sequences (int): maximum number of held-out sequences to evaluate, from the start of the texts.
    save_every (int): steps between two saved states.
    keep (int): number of saved states to keep, the newest ones.
    curves (bool): whether to draw the log as curves.png whenever a state is saved, if Matplotlib is installed.
    measure_limit (bool): whether to measure briefly at the start how fast this machine multiplies matrices.
    """

    log_every: Count = 10
    evaluate_every: Count = 500
    evaluate_sequences: Count = 64
    save_every: Count = 500
    keep: Count = 2
    curves: bool = True
    measure_limit: bool = True


class PretrainingSettings(Settings):
    """A complete config file. Each field is one of its blocks."""

    paths: PathSettings
    model: ModelSettings = ModelSettings()
    corpus: CorpusSettings = CorpusSettings()
    masking: MaskingSettings = MaskingSettings()
    training: TrainingSettings = TrainingSettings()
    report: ReportSettings = ReportSettings()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "PretrainingSettings":
        """Check and convert the contents of a config file.

        values (Mapping[str, Any]): blocks and their settings, as in a `thinc.api.Config`.
        RETURNS (PretrainingSettings): the settings, with defaults filled in.
        RAISES ValueError: settings are unknown, missing or invalid; the message names all of them.
        """
        try:
            settings = cls.model_validate(values)
            found = _contradictions(settings)
        except ValidationError as error:
            found = [problem.text for problem in problems(error, cls, values)]
        if found:
            raise ValueError(Errors.BB350.format(problems="\n".join(f"  {problem}" for problem in found)))
        return settings

    def to_dict(self) -> dict[str, Any]:
        """Convert the settings to a dictionary.

        RETURNS (dict[str, Any]): the settings, as in a config file.
        """
        return self.model_dump()


def _contradictions(settings: PretrainingSettings) -> list[str]:
    """Find conflicts between settings that are each valid on their own."""
    found = []
    training, corpus, masking = settings.training, settings.corpus, settings.masking
    if training.batch_pieces // corpus.streams < training.longest:
        found.append(
            f"training.batch_pieces = {training.batch_pieces}: expected at least {corpus.streams * training.longest}, "
            f"a sequence of {training.longest} pieces for each of {corpus.streams} streams"
        )
    if masking.mask_share + masking.random_share > 1:
        found.append("masking.mask_share + masking.random_share: expected at most 1 in total")
    if settings.model.name is None and settings.paths.vocab is None:
        found.append("paths.vocab: must be given when model.name is not (python -m spacy bigbird train-vocab)")
    return found
