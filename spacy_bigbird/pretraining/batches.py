"""Prepares batches in a background thread while the device computes."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .masking import PieceTable
from .sequences import START, Cursor, DocumentStream, Sample, SequenceMaker, SequenceStream
from .settings import PretrainingSettings

# How often a waiting thread checks whether it is still needed. Unit: seconds.
_LOOK_UP = 0.1


@dataclass(frozen=True, eq=False)
class StepData:
    """One process's share of the batch of one step.

    step (int): the step, counted from 0.
    samples (list[Sample]): the sequences.
    cursors (dict[int, Cursor]): for each stream of this process, where it continues after this step.
    """

    step: int
    samples: list[Sample]
    cursors: dict[int, Cursor]


class BatchLoader:
    """Iterates over the batches of a run. Use it in a `with` statement, which starts and ends its threads.

    documents (Sequence[DocumentStream]): the streams of this process.
    table (PieceTable): the vocabulary.
    settings (PretrainingSettings): the settings of the run, which determine the sizes.
    cursors (Mapping[int, Cursor] | None): for each stream, where to begin. Streams without a cursor begin at the start.
    first_step (int): the first step, counted from 0.

    waited (float): how long the consumer has waited for batches so far. Unit: seconds.
    """

    def __init__(
        self,
        documents: Sequence[DocumentStream],
        table: PieceTable,
        settings: PretrainingSettings,
        cursors: Mapping[int, Cursor] | None = None,
        first_step: int = 0,
    ) -> None:
        self.waited = 0.0
        self._settings = settings
        self._first_step = first_step
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="tokenizer")
        maker = SequenceMaker(table, settings)
        begin = cursors or {}
        self._streams = {
            stream.number: SequenceStream(stream, maker, begin.get(stream.number, START), self._pool)
            for stream in documents
        }
        self._ready: queue.Queue[StepData | BaseException] = queue.Queue(settings.corpus.prefetch_steps)
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._produce, name="batches", daemon=True)

    def __enter__(self) -> BatchLoader:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._is_closed.set()
        self._thread.join()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __iter__(self) -> Iterator[StepData]:
        for _ in range(self._first_step, self._settings.training.max_steps):
            start = time.perf_counter()
            data = self._ready.get()
            self.waited += time.perf_counter() - start
            if isinstance(data, BaseException):
                raise data
            yield data

    def _produce(self) -> None:
        try:
            for step in range(self._first_step, self._settings.training.max_steps):
                self._offer(self._step(step))
                if self._is_closed.is_set():
                    return
        except BaseException as error:
            self._offer(error)

    def _step(self, step: int) -> StepData:
        training = self._settings.training
        room = training.batch_pieces // self._settings.corpus.streams
        samples = []
        for stream in self._streams.values():
            samples += stream.part(training.length_at(step), room)
        return StepData(step, samples, {number: stream.cursor for number, stream in self._streams.items()})

    def _offer(self, data: StepData | BaseException) -> None:
        while not self._is_closed.is_set():
            try:
                return self._ready.put(data, timeout=_LOOK_UP)
            except queue.Full:
                continue


@dataclass(frozen=True, eq=False)
class Batch:
    """Sequences concatenated back to back, as the model expects them.

    input_ids (Tensor): piece ids. Shape: (pieces,).
    lengths (list[int]): number of pieces in each sequence.
    token_type_ids (Tensor | None): token types; None if all of them are 0. Shape: (pieces,).
    places (Tensor): rows of the pieces to predict. Shape: (masked,).
    labels (Tensor): the correct ids of these pieces. Shape: (masked,).
    first_rows (Tensor): row of the [CLS] piece of each sequence. Shape: (sequences,).
    is_random_next (Tensor): 1 if the second half comes from another document, else 0. Shape: (sequences,).
    """

    input_ids: Tensor
    lengths: list[int]
    token_type_ids: Tensor | None
    places: Tensor
    labels: Tensor
    first_rows: Tensor
    is_random_next: Tensor

    @classmethod
    def of(cls, samples: Sequence[Sample], device: torch.device, has_pairs: bool = False) -> Batch:
        """Build a batch from samples.

        samples (Sequence[Sample]): at least one sequence.
        device (torch.device): device to place the tensors on.
        has_pairs (bool): whether token types are needed.
        RETURNS (Batch): the batch.
        """
        lengths = [len(sample) for sample in samples]
        starts = np.cumsum([0, *lengths[:-1]])
        places = [sample.pieces.places + start for sample, start in zip(samples, starts, strict=True)]
        types = [(np.arange(len(sample)) >= sample.first_length) for sample in samples] if has_pairs else None
        return cls(
            input_ids=_tensor(np.concatenate([sample.pieces.ids for sample in samples]), device),
            lengths=lengths,
            token_type_ids=None if types is None else _tensor(np.concatenate(types), device),
            places=_tensor(np.concatenate(places), device),
            labels=_tensor(np.concatenate([sample.pieces.labels for sample in samples]), device),
            first_rows=_tensor(starts, device),
            is_random_next=_tensor(np.array([sample.is_random_next for sample in samples]), device),
        )


def _tensor(values: np.ndarray, device: torch.device) -> Tensor:
    tensor = torch.from_numpy(values.astype(np.int64))
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor
