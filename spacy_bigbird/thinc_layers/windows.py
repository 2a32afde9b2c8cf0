"""Documents of any length through an encoder of limited length: cut into windows, encode in bounds, merge."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy
from thinc.api import Model
from thinc.types import Floats2d, Ints1d

from ..tokenizer.pairs import window_ranges
from .encoder_wrapper import get_shim, get_tokenizer, set_width
from .grouping import group_by_size
from .types import Array, PackedPieces


class Window(NamedTuple):
    """One stretch of a document that the encoder sees at once. Unit: pieces, [CLS] and [SEP] excluded.

    start, end (int): the stretch.
    keep_start, keep_end (int): the pieces whose vectors are taken from this window; none is taken from two.
    """

    start: int
    end: int
    keep_start: int
    keep_end: int


@dataclass
class DocumentRows:
    """Rows of one document, or their gradient; see PieceRows.

    rows (Floats2d): Shape: (pieces + 2, width).
    window_cls (Floats2d): Shape: (windows, width). In a gradient it may be None, for zeros.
    window_lengths (Ints1d): pieces of each window. None in a gradient.
    """

    rows: Array
    window_cls: Array
    window_lengths: Array = None


def plan_windows(num_pieces: int, capacity: int, overlap: int) -> list[Window]:
    """Cut a document into windows, the last one shifted left so that it is full.

    A piece keeps the vector of the window in which the nearer edge is farthest away, the earlier one in a tie. All
    windows are equally long, so that is the window with the nearest middle.

    num_pieces (int): the document's pieces.
    capacity (int): pieces in a window.
    overlap (int): pieces that neighbouring windows share at least.
    RETURNS (list[Window]): one window at least, also for a document without pieces.
    """
    ranges = window_ranges(num_pieces, capacity, overlap)
    cuts = [(start + next_start + capacity - 1) // 2 + 1 for (start, _), (next_start, _) in pairwise(ranges)]
    kept = pairwise([0, *cuts, num_pieces])
    return [Window(*stretch, *keep) for stretch, keep in zip(ranges, kept, strict=True)]


def with_windows(encoder: Model[PackedPieces, Floats2d]) -> Model[list[Ints1d], list[DocumentRows]]:
    """Let an encoder of limited length encode documents of any length.

    At most `max_batch_pieces` pieces are in the encoder at one time (one window at least), in training too: there, all
    groups but the last keep no activations and are computed again in the backward pass. Results do not depend on it.

    encoder (Model[PackedPieces, Floats2d]): from `build_encoder`; its settings say how to cut.
    RETURNS (Model[list[Ints1d], list[DocumentRows]]): from each document's ids, special ones excluded, to its rows.
    """
    return Model("with_windows", _forward, init=_init, dims={"nO": None}, layers=[encoder])


def _init(model: Model, X: Any = None, Y: Any = None) -> None:
    model.layers[0].initialize()
    set_width(model)


class _Job(NamedTuple):
    """One window to encode: its document, its number in it, and where its rows go."""

    document: int
    number: int
    window: Window
    is_last: bool

    @property
    def size(self) -> int:
        return self.window.end - self.window.start + 2

    def take(self, encoded: Array, outputs: list[DocumentRows]) -> None:
        """Copy this window's rows from the encoder to where they belong."""
        target, window = outputs[self.document], self.window
        shift = 1 - window.start
        target.window_cls[self.number] = encoded[0]
        kept = slice(window.keep_start + shift, window.keep_end + shift)
        target.rows[window.keep_start + 1 : window.keep_end + 1] = encoded[kept]
        if self.number == 0:
            target.rows[0] = encoded[0]
        if self.is_last:
            target.rows[-1] = encoded[-1]

    def give(self, gradients: list[DocumentRows], d_encoded: Array) -> None:
        """Add the gradient of this window's rows to the zeros of what the encoder gave."""
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
    model: Model, documents: list[Ints1d], is_train: bool
) -> tuple[list[DocumentRows], Callable[[list[DocumentRows]], list]]:
    encoder, shim, tokenizer = model.layers[0], get_shim(model), get_tokenizer(model)
    capacity, overlap = shim.settings.window_capacity(shim.config)
    width, xp = shim.config.hidden_size, model.ops.xp
    outputs: list[DocumentRows] = []
    jobs: list[_Job] = []
    for index, ids in enumerate(documents):
        windows = plan_windows(len(ids), capacity, overlap)
        rows = xp.zeros((len(ids) + 2, width), dtype="f")
        lengths = numpy.array([window.end - window.start for window in windows], dtype="i")
        outputs.append(DocumentRows(rows, xp.zeros((len(windows), width), dtype="f"), lengths))
        # A document without pieces is not worth a computation: its rows stay zeros.
        if len(ids):
            last = len(windows) - 1
            jobs += [_Job(index, number, window, number == last) for number, window in enumerate(windows)]
    groups = list(group_by_size(jobs, lambda job: job.size, shim.settings.max_batch_pieces))
    tape: list[tuple[list[_Job], Callable]] = []
    for group in groups:
        packed: list[Any] = []
        for job in group:
            ids = documents[job.document][job.window.start : job.window.end]
            packed += [[tokenizer.cls_token_id], ids, [tokenizer.sep_token_id]]
        sizes, is_last = [job.size for job in group], group is groups[-1]
        all_ids: Array = numpy.concatenate(packed)
        encoded, backprop = encoder(PackedPieces(all_ids, sizes, recompute=is_train and not is_last), is_train)
        for job, part in zip(group, _parts(encoded, group), strict=True):
            job.take(part, outputs)
        if is_train:
            tape.append((group, backprop))

    def backprop_windows(gradients: list[DocumentRows]) -> list:
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
