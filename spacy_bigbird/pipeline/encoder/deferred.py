"""The encoder's backward pass, deferred until all heads that will send a gradient have done so."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

from spacy.tokens import Doc
from spacy_transformers.data_classes import TransformerData
from thinc.api import Model, Optimizer

from ...thinc_layers.linking import batch_identity
from ...thinc_layers.types import BigBirdBatch, PieceRows
from ...warnings import Warnings


class DeferredBackprop:
    """Hands a batch to the heads, collects their gradients, runs the backward pass, and takes the step.

    A copy is empty: it belongs to another pipeline, where there is no backward pass to run.

    model (Model[list[Doc], BigBirdBatch]): the encoder.
    """

    def __init__(self, model: Model[list[Doc], BigBirdBatch]) -> None:
        self.model = model
        # Whether the weights have gradients that no step has used. Without any, an optimizer with momentum would still
        # change the weights.
        self._is_step_due = False
        self._number = 0
        self._forget()

    def _forget(self) -> None:
        self._backprop: Callable[[list[PieceRows]], Any] | None = None
        self._gradient: list[PieceRows] | None = None
        self._waiting: list[Any] = []
        self._optimizer: Optimizer | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether a batch waits for its backward pass."""
        return self._backprop is not None

    def start(
        self, docs: list[Doc], listeners: list[Any], name: str, losses: dict[str, float], optimizer: Optimizer | None
    ) -> None:
        """Encode a batch and hand it to the listeners.

        docs (list[Doc]): the batch.
        listeners (list[TransformerListener]): those that may send a gradient.
        name (str): name of the encoder, its key in `losses`.
        losses (dict[str, float]): the norm of the gradient is added here.
        optimizer (Optimizer | None): takes a step once the backward pass has run.
        """
        self._number += 1
        batch: Any
        batch, backprop = self.model.begin_update(docs)
        for data in batch.doc_data:
            data.encoder = name

        def backprop_with_norm(gradient: list[PieceRows]) -> None:
            losses[name] = losses.get(name, 0.0) + float(sum(rows.sum_of_squares() for rows in gradient)) ** 0.5
            backprop(batch.with_gradient(gradient))

        self._backprop, self._waiting, self._optimizer = backprop_with_norm, list(listeners), optimizer
        identity = batch_identity(docs)
        for listener in listeners:
            listener.receive(identity, batch.doc_data, partial(self._receive, self._number, listener))

    def _receive(self, number: int, listener: Any, d_datas: list[TransformerData]) -> list:
        """Add the gradient of one head. RETURNS: an empty list, because Thinc expects a return value."""
        if number != self._number or not self.is_waiting:
            warnings.warn(Warnings.BW132.format(encoder=listener.link.encoder), stacklevel=2)
            return []
        given = [PieceRows.of(d_data) for d_data in d_datas]
        if self._gradient is not None:
            given = [first + second for first, second in zip(self._gradient, given, strict=True)]
        self._gradient = given
        self._waiting.remove(listener)
        if not self._waiting:
            self.run()
        return []

    def run(self) -> None:
        """Run the backward pass with the gradients received so far, if there are any, and let the batch go."""
        backprop, gradient, waiting, optimizer = self._backprop, self._gradient, self._waiting, self._optimizer
        if backprop is None or gradient is None:
            return
        self._forget()
        backprop(gradient)
        self._is_step_due = True
        for listener in waiting:
            # Those that never answered, in frozen components, must let the batch go too.
            listener.receive(None, None, None)
        if optimizer is not None:
            self.step(optimizer)

    def finish(self) -> None:
        """Run the backward pass with the gradients received so far, and no longer wait for others."""
        self.run()
        self._forget()

    def step(self, optimizer: Optimizer) -> None:
        """Take a step with the gradients received so far. If there are none yet, take it once there are.

        optimizer (Optimizer): the optimizer.
        """
        self.run()
        if self._is_step_due:
            self.model.finish_update(optimizer)
            self._is_step_due = False
        elif self.is_waiting:
            self._optimizer = optimizer

    def __reduce__(self) -> tuple:
        return DeferredBackprop, (self.model,)
