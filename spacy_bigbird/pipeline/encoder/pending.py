"""The backward pass of one batch, postponed until all heads that will send a gradient have done so."""

import warnings
from collections.abc import Callable
from typing import Any

from spacy_transformers.data_classes import TransformerData
from thinc.api import Optimizer

from ...thinc_layers.types import BigBirdBatch, widened
from ...warnings import Warnings


class PendingBatch:
    """Collects the gradients that the heads send for one batch.

    batch (BigBirdBatch | None): the batch that the heads have received; None in a copy, which has no backward pass.
    backprop (Callable | None): the encoder's backward pass.
    num_waiting (int): number of listeners that have not sent a gradient yet.
    on_complete (Callable[[], None] | None): called when the last one has.
    losses (dict[str, float] | None): the sum of squares of the gradients is added here, as in spacy-transformers.
    name (str): name of the encoder, its key in `losses`.
    """

    def __init__(
        self,
        batch: BigBirdBatch | None = None,
        backprop: Callable[[BigBirdBatch], Any] | None = None,
        num_waiting: int = 0,
        on_complete: Callable[[], None] | None = None,
        losses: dict[str, float] | None = None,
        name: str = "",
    ) -> None:
        self.batch = batch
        self.backprop = backprop
        self.num_waiting = num_waiting
        self.on_complete = on_complete
        self.losses = {} if losses is None else losses
        self.name = name
        self.gradient: list[list[Any]] | None = None
        self.optimizer: Optimizer | None = None

    def receive(self, d_trf_datas: list[TransformerData]) -> list:
        """Add the gradient of one head. Called by every listener.

        d_trf_datas (list[TransformerData]): the gradient of each document's data.
        RETURNS (list): an empty list, because Thinc expects a return value.
        """
        if self.batch is None:
            warnings.warn(Warnings.BW132.format(encoder=self.name), stacklevel=2)
            return []
        given = [[d_data.model_output[key] for key in d_data.model_output] for d_data in d_trf_datas]
        squares = sum((array**2).sum() for arrays in given for array in arrays)
        self.losses[self.name] = self.losses.get(self.name, 0.0) + float(squares)
        if self.gradient is None:
            self.gradient = given
        else:
            self.gradient = [_add(*both) for both in zip(self.gradient, given, strict=True)]
        self.num_waiting -= 1
        if self.num_waiting == 0 and self.on_complete is not None:
            self.on_complete()
        return []

    def run(self) -> None:
        """Run the encoder's backward pass with the gradients received so far, and release the batch."""
        if self.batch is not None and self.backprop is not None and self.gradient is not None:
            self.backprop(self.batch.unsplit_by_doc(self.gradient))
        self.batch = self.backprop = self.gradient = self.on_complete = None

    def __reduce__(self) -> tuple:
        """Copy without content: a copy belongs to another pipeline, where there is no backward pass to run."""
        return PendingBatch, ()


def _add(first: list[Any], second: list[Any]) -> list[Any]:
    """Add the arrays that both lists have. Arrays in only one list (of further windows' [CLS]) are kept unchanged."""
    longer, shorter = (first, second) if len(first) >= len(second) else (second, first)
    return [_sum(*both) for both in zip(first, second, strict=False)] + longer[len(shorter) :]


def _sum(first: Any, second: Any) -> Any:
    columns = max(first.shape[-1], second.shape[-1])
    return widened(first, columns) + widened(second, columns)
