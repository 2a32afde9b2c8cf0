"""Prints the findings of `spacy bigbird check`."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from wasabi import Printer

from ..corpora.stretches import Phase
from ..errors import Errors
from ..warnings import Warnings
from .corpus import CorpusReport, name_of_character
from .encoders import PlannedEncoder, StepCost, measure_step
from .memory import available_memory
from .readers import ReaderLoss
from .terminal import counted, duration, headline, histogram

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.training import Example

MOST_EXAMPLES = 5
# Share of unknown pieces above which another vocabulary, or one's own, should be considered.
MANY_UNKNOWN = 0.01
# Share of the free memory above which the estimate triggers a warning.
MEMORY_MARGIN = 0.9


class CheckReport:
    """Prints findings as they are made, and remembers those that mean a loss.

    msg (Printer): the printer to use.
    """

    def __init__(self, msg: Printer) -> None:
        self.msg = msg
        self.losses: list[str] = []

    def loss(self, text: str) -> None:
        """Report that data would be lost or training would fail.

        text (str): what would happen, and how to avoid it.
        """
        self.losses.append(text)
        # The printer would merge lists and config lines into one paragraph.
        first, _, rest = text.strip().partition("\n")
        self.msg.fail(first)
        if rest.strip() and not self.msg.no_print:
            print(rest.rstrip())

    def encoders(self, encoders: Sequence[PlannedEncoder]) -> None:
        """Print the encoders of the pipeline and how they split documents."""
        if not encoders:
            self.loss(Errors.BB382)
        for encoder in encoders:
            settings, config = encoder.settings, encoder.config
            capacity, overlap = settings.window_capacity(config)
            self.msg.divider(f"Encoder of {encoder.component}")
            rows = {
                "Vocabulary": f"{encoder.tokenizer.vocab_size:,} pieces, {settings.name or settings.vocab_file or ''}",
                "Layers": f"{config.num_hidden_layers} of width {config.hidden_size}",
                "One window": f"{capacity:,} pieces; neighbours share at least {overlap:,}",
                "Longer documents": {
                    "window": "several windows, nothing is cut off",
                    "truncate": "cut off after the first window",
                    "error": "an error",
                }[settings.on_oversize],
                "Encoded at once": f"{settings.max_batch_pieces:,} pieces",
            }
            self.msg.table(rows)

    def corpus(self, name: str, report: CorpusReport, encoder: PlannedEncoder) -> None:
        """Print lengths, windows, unknown pieces and gold spans of a corpus.

        name (str): "train" or "dev".
        report (CorpusReport): the findings.
        encoder (PlannedEncoder): the encoder that they refer to.
        """
        self.msg.divider(f"Corpus {name} for {encoder.component}")
        total = sum(report.lengths)
        if not report.lengths:
            self.loss(f"{name}: there are no documents.")
            return
        middle, high = np.percentile(report.lengths, [50, 95])
        self.msg.text(
            f"{counted(len(report.lengths), 'documents')} with {counted(total, 'pieces')} in total; "
            f"median {middle:,.0f}, 95% within {high:,.0f}, longest {max(report.lengths):,}"
        )
        for line in histogram(report.lengths):
            self.msg.text(line)
        windows = sorted(Counter(report.windows).items())
        self.msg.text(
            "Windows per document: " + ", ".join(f"{n:,} ({counted(count, 'documents')})" for n, count in windows[:8])
        )
        if len(windows) > 8:
            self.msg.text(f"... and up to {windows[-1][0]:,}")
        self._oversize(name, report, encoder)
        self._unknown(name, report)
        lost = report.lost_spans
        if lost:
            self.loss(
                f"{name}: {len(lost):,} of {report.spans:,} gold spans are not at token boundaries (or answers not at "
                "their offset) and will not be learned. List them all with --misaligned, then correct the annotation "
                "or change the tokenizer."
            )
            for span in lost[:MOST_EXAMPLES]:
                self.msg.text(f"  document {span.document}, {span.kind}: {span.label} {span.text!r} in {span.tokens}")
        elif report.spans:
            self.msg.good(f"All {report.spans:,} gold spans can be learned")

    def _oversize(self, name: str, report: CorpusReport, encoder: PlannedEncoder) -> None:
        policy, number = encoder.settings.on_oversize, len(report.oversize)
        if number and policy == "truncate":
            self.loss(
                f'{name}: on_oversize = "truncate" cuts {counted(report.truncated_pieces, "pieces")} off '
                f"{counted(number, 'documents')}. "
                'Set on_oversize = "window".'
            )
        elif number and policy == "error":
            self.loss(
                f"{name}: longer than one window: {counted(number, 'documents')}, which is an error with "
                'on_oversize = "error". Set on_oversize = "window".'
            )

    def _unknown(self, name: str, report: CorpusReport) -> None:
        text = f"Unknown pieces: {report.unknown_pieces:,} ({report.unknown_rate:.3%})"
        common = [
            f"{name_of_character(character)} ({count:,})"
            for character, count in report.unknown_characters.most_common(MOST_EXAMPLES)
        ]
        if report.unknown_rate > MANY_UNKNOWN:
            self.msg.warn(f"{name}: {text}. Replace the frequent ones in the texts, or train your own vocabulary.")
        else:
            self.msg.text(text)
        for line in common:
            self.msg.text(f"  {line}")

    def limits(self, name: str, reader_loss: ReaderLoss | None, examples: "Sequence[Example]", nlp: "Language") -> None:
        """Print how many documents the reader splits or drops, or are longer than the pipeline allows.

        name (str): "train" or "dev".
        reader_loss (ReaderLoss | None): what the reader withholds.
        examples (Sequence[Example]): the corpus.
        nlp (Language): the pipeline.
        """
        if reader_loss is not None and reader_loss.documents:
            setting = f"{name}: the corpus setting max_length = {reader_loss.max_length}"
            if reader_loss.lost_tokens:
                lost = f"{counted(reader_loss.lost_tokens, 'tokens')} of {counted(reader_loss.documents, 'documents')}"
                self.loss(f"{setting} leaves out {lost}. Set max_length = 0.")
            else:
                split = f"{counted(reader_loss.split, 'documents')} into sentences"
                self.msg.warn(f"{setting} splits {split}. Set max_length = 0 to train on whole documents.")
        too_long = sum(len(example.predicted.text) > nlp.max_length for example in examples)
        if too_long:
            self.loss(
                f"{name}: more than nlp.max_length = {nlp.max_length:,} characters: {counted(too_long, 'documents')}. "
                "spaCy will stop with E088. Set nlp.max_length in a callback such as [initialize.before_init]."
            )

    def gold(self, name: str, counts: Mapping[str, int], problems: Sequence[str]) -> None:
        """Print what the components of the pipeline learn from or are evaluated on.

        name (str): "train" or "dev".
        counts (Mapping[str, int]): number of usable gold annotations in the corpus, by component.
        problems (Sequence[str]): a message for each component that has none, or whose training would fail.
        """
        if counts:
            self.msg.divider(f"Gold in {name}")
            self.msg.table({name: f"{count:,}" for name, count in counts.items()})
        self.problems(problems)

    def problems(self, messages: Iterable[str]) -> None:
        """Print messages: warnings, or errors, which mean a loss.

        messages (Iterable[str]): the messages, with their codes.
        """
        for message in messages:
            if message.startswith("[BW"):
                self.msg.warn(message)
            else:
                self.loss(message)

    def batches(self, batches: Sequence[Sequence[int]], discarded: Sequence[int], report: CorpusReport) -> None:
        """Print how the batcher groups the training corpus.

        batches (Sequence[Sequence[int]]): indices of the documents in each batch.
        discarded (Sequence[int]): indices of the documents in no batch.
        report (CorpusReport): the findings about the training corpus.
        """
        if not report.lengths:
            return
        self.msg.divider("Batches")
        if batches:
            documents = np.mean([len(batch) for batch in batches])
            largest = max(pieces_of(batch, report) for batch in batches)
            self.msg.text(
                f"{len(batches):,} batches of {documents:.1f} documents on average, the largest with {largest:,} pieces"
            )
        if discarded:
            lost = sum(report.lengths[number] for number in discarded)
            self.loss(
                f"The batcher leaves out {len(discarded):,} of {len(report.lengths):,} documents with "
                f"{lost / max(1, sum(report.lengths)):.0%} of all pieces. Use spacy-bigbird.batch_by_pieces.v1, or set "
                "discard_oversize = false."
            )
        else:
            self.msg.good("Every document is in a batch")

    def stretches(self, phases: Sequence[Phase], batches: int, patience: int) -> None:
        """Print how many updates an epoch has while documents are cut into stretches.

        phases (Sequence[Phase]): the phases before that of whole documents.
        batches (int): number of batches of whole documents.
        patience (int): number of steps without a better score after which training ends; 0 for never.
        """
        for phase in phases:
            self.msg.text(
                f"Until step {phase.until:,}, {phase.updates:,} updates per epoch, with {phase.stretches:,} stretches "
                f"of about {phase.length:,} tokens"
            )
        if phases:
            self.msg.text(f"From step {phases[-1].until:,}, {batches:,} updates per epoch, with whole documents")
        if phases and 0 < patience < phases[-1].until:
            self.problems([Warnings.BW475.format(patience=patience, until=phases[-1].until)])

    def cost(
        self,
        encoder: PlannedEncoder,
        reports: Mapping[str, CorpusReport],
        batches: Sequence[Sequence[int]],
        phases: Sequence[Phase],
        is_frozen: bool,
    ) -> None:
        """Estimate time and memory of an epoch from a short step on this machine, and print them.

        encoder (PlannedEncoder): the encoder.
        reports (Mapping[str, CorpusReport]): the findings about both corpora.
        batches (Sequence[Sequence[int]]): indices of the documents in each batch.
        phases (Sequence[Phase]): the phases of stretches, in which the pieces are the same, and nothing comes twice.
        is_frozen (bool): whether the encoder is not trained.
        """
        report, limit = reports["train"], encoder.settings.max_batch_pieces
        cost = measure_step(encoder, report.sample)
        # If the batcher leaves out everything, estimate the cost of training on the documents nonetheless.
        sizes = [pieces_of(batch, report) for batch in batches] or report.encoded
        at_once = min(max(limit, encoder.config.max_position_embeddings), max(sizes, default=0))
        # To hold only one group of windows in memory, all groups of a batch except the last are computed twice.
        twice = sum(max(0, size - limit) for size in sizes)
        epoch = sum(sizes) * cost.training_seconds + twice * cost.prediction_seconds
        evaluation = sum(reports["dev"].encoded) * cost.prediction_seconds
        memory = cost.training_memory(at_once)
        if is_frozen:
            epoch, memory = sum(sizes) * cost.prediction_seconds, cost.parameters * 4.0
        rows = {
            "Weights": f"{cost.parameters:,}, {0 if is_frozen else cost.trained_parameters:,} of them trained",
            "Training": f"{1 / cost.training_seconds:,.0f} pieces per second, {duration(epoch)} per epoch",
            "Evaluation": f"{1 / cost.prediction_seconds:,.0f} pieces per second, {duration(evaluation)} on dev",
            "Memory": f"{memory / 2**30:.1f} GB for weights, gradients, Adam and {at_once:,} pieces at once",
        }
        if phases:
            once = sum(sizes) * (cost.prediction_seconds if is_frozen else cost.training_seconds)
            rows["Stretches"] = f"{duration(once)} per epoch"
        self.msg.divider(f"Estimated cost of the encoder of {encoder.component} on this machine")
        self.msg.table(rows)
        self._warn_of_memory(memory, cost)

    def _warn_of_memory(self, memory: float, cost: StepCost) -> None:
        available = available_memory()
        if available is not None and memory > MEMORY_MARGIN * available:
            piece = cost.bytes_per_piece / 2**20
            self.msg.warn(
                f"{memory / 2**30:.1f} GB are needed, but only {available / 2**30:.1f} GB are free. Lower "
                f"max_batch_pieces (each piece takes {piece:.2f} MB in training), or set gradient_checkpointing = true."
            )

    def summary(self) -> None:
        """Print all findings again, in short, where a terminal shows them last."""
        self.msg.divider("Summary")
        if self.losses:
            self.msg.fail(f"Findings that would lose data or make training fail: {len(self.losses)}")
            for number, text in enumerate(self.losses, start=1):
                self.msg.text(f"{number}. {headline(text)}")
        else:
            self.msg.good("Nothing would be lost")


def pieces_of(batch: Sequence[int], report: CorpusReport) -> int:
    """Count the pieces of a batch.

    batch (Sequence[int]): indices of its documents.
    report (CorpusReport): the findings about the corpus.
    RETURNS (int): number of pieces that the encoder receives.
    """
    return sum(report.encoded[number] for number in batch)
