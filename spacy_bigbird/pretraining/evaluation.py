"""Evaluates how well a model predicts masked pieces of held-out texts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch

from ..errors import Errors
from ..scoring.masked_lm import sums_by_range
from ..thinc_layers.grouping import group_by_size
from ..tokenizer import BigBirdTokenizer
from .batches import Batch
from .masking import PieceTable
from .objective import PretrainingObjective
from .processes import Processes
from .sequences import Chunk, Cursor, Sample, SequenceMaker
from .settings import PretrainingSettings

# Documents per chunk; the second half of a pair may come from another document of the chunk.
_DOCUMENTS = 16
# End of the first range of positions; the ranges double in length from here.
FIRST_RANGE = 512


def held_out_samples(
    texts: Iterable[str], tokenizer: BigBirdTokenizer, table: PieceTable, settings: PretrainingSettings
) -> list[Sample]:
    """Create sequences from held-out texts, the same in every evaluation and run. No sequence joins two documents.

    texts (Iterable[str]): documents. No more are read than needed.
    tokenizer (BigBirdTokenizer): splits them into pieces.
    table (PieceTable): its vocabulary.
    settings (PretrainingSettings): determine length, masking and number of the sequences. The training seed is ignored.
    RETURNS (list[Sample]): sequences of the maximum length of the run, shorter where a document ends.
    RAISES ValueError: there is no text.
    """
    corpus = settings.corpus.model_copy(update={"join_documents": False})
    training = settings.training.model_copy(update={"seed": 0})
    fixed = settings.model_copy(update={"corpus": corpus, "training": training})
    found = _sequences(texts, tokenizer, SequenceMaker(table, fixed), settings.training.longest)
    samples = list(islice(found, settings.report.evaluate_sequences))
    if not samples:
        raise ValueError(Errors.BB351.format(path=", ".join(settings.paths.dev or ()), stream="the evaluation"))
    return samples


def _sequences(
    texts: Iterable[str], tokenizer: BigBirdTokenizer, maker: SequenceMaker, length: int
) -> Iterator[Sample]:
    numbered = enumerate(texts)
    while part := list(islice(numbered, _DOCUMENTS)):
        documents = tokenizer.text_ids([text for _, text in part], maker.settings.corpus.tokenizer_threads)
        kept = [(place, ids) for (place, _), ids in zip(part, documents, strict=True) if len(ids)]
        chunk = Chunk(0, 0, [place for place, _ in kept], [ids for _, ids in kept])
        cursor = Cursor()
        while (made := maker.sequence(chunk, cursor, length)) is not None:
            sample, cursor = made
            yield sample


@dataclass
class Evaluator:
    """Scores a model repeatedly on the same sequences.

    samples (Sequence[Sample]): the sequences.
    table (PieceTable): the vocabulary.
    settings (PretrainingSettings): determine the precision and the batch size.
    processes (Processes): the processes that share the work.
    """

    samples: Sequence[Sample]
    table: PieceTable
    settings: PretrainingSettings
    processes: Processes

    def __call__(self, objective: PretrainingObjective) -> dict[str, Any]:
        """Score the model, which is left in training mode.

        objective (PretrainingObjective): the model and its loss.
        RETURNS (dict[str, Any]): `loss` (nats per masked piece), `perplexity`, `bits_per_character` (of the masked
            pieces; a space belongs to the word that follows it), `masked_accuracy`,
            `bits_per_character_by_position` (by the first position of each range of positions), and, with
            next-sentence prediction, `next_sentence_loss` and `next_sentence_accuracy`.
        """
        processes, training = self.processes, self.settings.training
        edges = _edges(training.longest)
        # Columns: nats, characters, pieces and correct predictions of each range.
        table = np.zeros((len(edges), 4))
        pairs = torch.zeros(3, dtype=torch.float64)
        objective.eval()
        mine = self.samples[processes.number :: processes.count]
        for part in group_by_size(mine, len, training.micro_batch_pieces):
            batch = Batch.of(part, processes.device, objective.has_pairs)
            kind = processes.device.type
            with torch.no_grad(), torch.autocast(kind, torch.bfloat16, enabled=training.mixed_precision):
                guesses = objective.guesses(batch)
            places = np.concatenate([sample.pieces.places for sample in part])
            labels = np.concatenate([sample.pieces.labels for sample in part])
            losses, is_right = guesses.losses.cpu().numpy(), guesses.is_right.cpu().numpy()
            columns = [losses, self.table.characters[labels], np.ones(len(places)), is_right]
            table += sums_by_range(edges, places, columns)
            counted = guesses.pair_losses.numel()
            pairs += torch.tensor([float(guesses.pair_losses.sum()), float(guesses.pair_is_right.sum()), counted])
        objective.train()
        sums, pairs = (processes.sum(one.to(processes.device)).cpu() for one in (torch.from_numpy(table), pairs))
        return _report(sums, pairs, edges)


def _edges(longest: int) -> list[int]:
    """Compute the first position of each range."""
    edges = [0]
    while max(FIRST_RANGE, 2 * edges[-1]) < longest:
        edges.append(max(FIRST_RANGE, 2 * edges[-1]))
    return edges


def _report(table: torch.Tensor, pairs: torch.Tensor, edges: list[int]) -> dict[str, Any]:
    nats, characters, pieces, right = table.sum(0).tolist()
    loss = nats / max(1.0, pieces)
    by_position = {
        str(edge): round(row[0] / math.log(2) / max(1.0, row[1]), 4)
        for edge, row in zip(edges, table.tolist(), strict=True)
        if row[2]
    }
    report = {
        "loss": loss,
        "perplexity": math.exp(min(loss, 700.0)),
        "bits_per_character": nats / math.log(2) / max(1.0, characters),
        "masked_accuracy": right / max(1.0, pieces),
        "bits_per_character_by_position": by_position,
    }
    pair_nats, pairs_right, counted = pairs.tolist()
    if counted:
        report |= {"next_sentence_loss": pair_nats / counted, "next_sentence_accuracy": pairs_right / counted}
    return report
