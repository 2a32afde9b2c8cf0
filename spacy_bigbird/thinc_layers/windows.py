"""Encode documents of any length with an encoder of limited length: split into windows, encode in groups, merge."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy
from thinc.api import Model
from thinc.types import Floats2d

from ..plan.windows import Window, plan_windows
from .encoder_wrapper import get_shim, get_tokenizer, set_width
from .grouping import group_by_size
from .piece_encoder import DocumentPieces
from .types import Array, PackedPieces, PieceRows


def with_windows(encoder: Model[PackedPieces, Floats2d]) -> Model[list[DocumentPieces], list[PieceRows]]:
    """Extend an encoder of limited length to documents of any length.

    There are never more than `max_batch_pieces` pieces (or one window) in the encoder at a time, even in training: all
    groups but the last keep no activations and are recomputed in the backward pass. The results are not affected.

    encoder (Model[PackedPieces, Floats2d]): the result of `build_encoder`; its settings say how to split documents.
    RETURNS (Model[list[DocumentPieces], list[PieceRows]]): a layer from each document's pieces to its rows.
    """
    return Model("with_windows", _forward, init=_init, dims={"nO": None}, layers=[encoder])


def _init(model: Model, X: Any = None, Y: Any = None) -> None:
    model.layers[0].initialize()
    set_width(model)


class _Job(NamedTuple):
    """One window to encode: the number of its document, its number there, and whether it is the document's last one."""

    document: int
    number: int
    window: Window
    is_last: bool

    @property
    def size(self) -> int:
        """Number of pieces to encode, including [CLS] and [SEP]."""
        return self.window.end - self.window.start + 2

    def take(self, encoded: Array, outputs: list[PieceRows]) -> None:
        """Copy this window's rows from the encoder's output to the rows of its document."""
        target, window = outputs[self.document], self.window
        shift = 1 - window.start
        target.window_cls[self.number] = encoded[0]
        kept = slice(window.keep_start + shift, window.keep_end + shift)
        target.rows[window.keep_start + 1 : window.keep_end + 1] = encoded[kept]
        if self.number == 0:
            target.rows[0] = encoded[0]
        if self.is_last:
            target.rows[-1] = encoded[-1]

    def give(self, gradients: list[PieceRows], d_encoded: Array) -> None:
        """Add the gradient of this window's rows to that of the encoder's output, which starts as zeros."""
        source, window = gradients[self.document], self.window
        shift = 1 - window.start
        kept = slice(window.keep_start + shift, window.keep_end + shift)
        d_encoded[kept] = source.rows[window.keep_start + 1 : window.keep_end + 1]
        if source.window_cls is not None:
            d_encoded[0] += source.window_cls[self.number]
        if self.number == 0:
            d_encoded[0] += source.rows[0]
        if self.is_last:
            d_encoded[-1] += source.rows[-1]


def _forward(
    model: Model, documents: list[DocumentPieces], is_train: bool
) -> tuple[list[PieceRows], Callable[[list[PieceRows]], list]]:
    encoder, shim, tokenizer = model.layers[0], get_shim(model), get_tokenizer(model)
    capacity, overlap = shim.settings.window_capacity(shim.config)
    width, xp = shim.config.hidden_size * len(shim.layers), model.ops.xp
    outputs: list[PieceRows] = []
    jobs: list[_Job] = []
    for index, document in enumerate(documents):
        windows = plan_windows(len(document.ids), capacity, overlap)
        rows = xp.zeros((len(document.ids) + 2, width), dtype="f")
        lengths: Array = numpy.array([window.end - window.start for window in windows], dtype="i")
        outputs.append(PieceRows(rows, document.align, xp.zeros((len(windows), width), dtype="f"), lengths))
        # A document without pieces is not encoded: its rows stay zeros.
        if len(document.ids):
            last = len(windows) - 1
            jobs += [_Job(index, number, window, number == last) for number, window in enumerate(windows)]
    groups = list(group_by_size(jobs, lambda job: job.size, shim.settings.max_batch_pieces))
    tape: list[tuple[list[_Job], Callable]] = []
    for group in groups:
        packed: list[Any] = []
        for job in group:
            ids = documents[job.document].ids[job.window.start : job.window.end]
            packed += [[tokenizer.cls_token_id], ids, [tokenizer.sep_token_id]]
        sizes, is_last = [job.size for job in group], group is groups[-1]
        all_ids: Array = numpy.concatenate(packed)
        encoded, backprop = encoder(PackedPieces(all_ids, sizes, recompute=is_train and not is_last), is_train)
        for job, part in zip(group, _parts(encoded, group), strict=True):
            job.take(part, outputs)
        if is_train:
            tape.append((group, backprop))

    def backprop_windows(gradients: list[PieceRows]) -> list:
        while tape:
            group, backprop = tape.pop()
            d_encoded = xp.zeros((sum(job.size for job in group), width), dtype="f")
            for job, part in zip(group, _parts(d_encoded, group), strict=True):
                job.give(gradients, part)
            backprop(d_encoded)
        return []

    return outputs, backprop_windows


def _parts(rows: Array, group: list[_Job]) -> Iterator[Array]:
    start = 0
    for job in group:
        yield rows[start : start + job.size]
        start += job.size
