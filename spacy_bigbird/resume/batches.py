"""The batches of a training: shared out among processes, and those skipped that were trained on before it stopped."""

import random
import warnings
from collections.abc import Iterator
from itertools import groupby, islice
from typing import Any

import numpy
from spacy.training import Example

from ..errors import Errors
from ..warnings import Warnings
from .state import TrainingState

# Epoch and batches of a step, one batch for each process.
Batches = Iterator[tuple[int, list[list[Example]]]]


def grouped(batches: Iterator[tuple[int, Any]], count: int) -> Batches:
    """Make a step of as many batches of an epoch as there are processes. The last one may have fewer.

    batches (Iterator[tuple[int, list[Example]]]): the epoch of each batch, and the batch.
    count (int): number of processes.
    YIELDS (tuple[int, list[list[Example]]]): the epoch of each step, and its batches.
    """
    for epoch, same in groupby(batches, key=lambda pair: pair[0]):
        while parts := [batch for _, batch in islice(same, count)]:
            yield epoch, parts


def in_common_order(batches: Batches) -> Batches:
    """Draw the order of the documents from random numbers of its own.

    Processes whose components draw different random numbers would otherwise read the documents in different orders.

    batches (Iterator[tuple[int, list[list[Example]]]]): the steps, with the random state of now.
    RETURNS (Iterator[tuple[int, list[list[Example]]]]): the same steps.
    """
    return _with_random_state(batches, (random.getstate(), numpy.random.get_state()))


def _with_random_state(batches: Batches, own: tuple[Any, Any]) -> Batches:
    while True:
        outside: tuple[Any, Any] = random.getstate(), numpy.random.get_state()
        random.setstate(own[0])
        numpy.random.set_state(own[1])
        step = next(batches, None)
        own = random.getstate(), numpy.random.get_state()
        random.setstate(outside[0])
        numpy.random.set_state(outside[1])
        if step is None:
            return
        yield step


def skip(batches: Batches, state: TrainingState) -> None:
    """Skip the batches that were trained on already, which brings reader, batcher and shuffling to where they were.

    batches (Iterator[tuple[int, list[list[Example]]]]): all steps, beginning with the first.
    state (TrainingState): the state to resume from.
    RAISES ValueError: there are fewer batches than were trained on.
    """
    words = 0
    for step in range(state.step + 1):
        epoch, parts = next(batches, (None, None))
        if parts is None:
            raise ValueError(Errors.BB348.format(found=step, steps=state.step + 1))
        words += sum(len(example) for batch in parts for example in batch)
    version, numbers, gauss = state.random_now["python"]
    # Several processes draw the order apart from everything else.
    has_moved = state.processes == 1 and random.getstate() != (version, tuple(numbers), gauss)
    if words != state.words or epoch != state.epoch or has_moved:
        warnings.warn(Warnings.BW340.format(step=state.step, epoch=state.epoch), stacklevel=2)
