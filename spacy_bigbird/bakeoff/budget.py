"""A limit on the time of a training, so that systems of different speed can be compared."""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..errors import Errors


def make_time_limit(
    batcher: Callable[[Iterable[Any]], Iterable[list[Any]]], seconds: float
) -> Callable[[Iterable[Any]], Iterator[list[Any]]]:
    """Create a batcher that ends the training after some time, that of evaluations included.

    Registered as `spacy-bigbird.within_seconds.v1`, for `[training.batcher]` along with `max_epochs = 1`: it goes
    through the examples again and again, in another order each time.

    batcher (Callable): makes the batches.
    seconds (float): the time from the first batch on.
    RETURNS (Callable): the batcher.
    RAISES ValueError: `seconds` is not allowed.
    """
    if isinstance(seconds, bool) or not seconds > 0:
        raise ValueError(Errors.BB757.format(seconds=seconds))

    def batches(items: Iterable[Any]) -> Iterator[list[Any]]:
        examples = list(items)
        end = time.monotonic() + seconds
        while examples:
            for batch in batcher(random.sample(examples, len(examples))):
                yield batch
                if time.monotonic() >= end:
                    return

    return batches
