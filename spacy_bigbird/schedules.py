"""Learning rates that follow the length of the training, and checks of those that do not."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from .errors import Errors
from .warnings import Warnings

# How many steps of a schedule are looked at if nothing limits the number of steps.
LOOK_AHEAD = 200_000
# Share of its highest value above which a rate that has yet to fall to zero is worth a remark.
HIGH = 0.5


def make_warmup_linear(initial_rate: float, warmup_steps: int, total_steps: int) -> Iterator[float]:
    """Create a schedule that rises for some steps and then falls until the end of the training.

    Registered as `spacy-bigbird.warmup_linear.v1`, for `[training.optimizer.learn_rate]`. It differs from thinc's
    `warmup_linear.v1` in that a training of unknown length, with `max_steps = 0`, keeps its rate.

    initial_rate (float): the highest rate.
    warmup_steps (int): number of steps in which the rate rises from 0 to the highest.
    total_steps (int): step at which the rate reaches 0 again: `${training.max_steps}`. 0 keeps the highest rate.
    YIELDS (float): the rate of each step.
    """
    step = 0
    while True:
        if step < warmup_steps:
            yield initial_rate * step / warmup_steps
        elif not total_steps:
            yield initial_rate
        else:
            yield initial_rate * max(0.0, (total_steps - step) / max(1, total_steps - warmup_steps))
        step += 1


def find_schedule_problems(optimizer: Any, steps: int | None) -> list[str]:
    """Compare the schedule of a learning rate with the length of the training.

    optimizer (Any): a new optimizer, whose schedules are consumed. Those other than Thinc's are not checked.
    steps (int | None): number of steps after which the training ends at the latest; None if it is not limited.
    RETURNS (list[str]): an error if nothing is learned in the last steps, and warnings if the rate does not get to its
        highest value, or is still high at the end.
    """
    schedule = getattr(optimizer, "schedules", {}).get("learn_rate")
    if schedule is None or steps == 0:
        return []
    # The optimizer has already taken the first rate.
    rates = [optimizer.learn_rate, *islice(schedule, LOOK_AHEAD + (steps or 0))]
    end = steps or LOOK_AHEAD
    used = rates[:end]
    zeros = next((number for number, rate in enumerate(reversed(used)) if rate), len(used))
    # A schedule that ends with the training reaches zero one step earlier or later.
    if zeros > 1 + end // 100:
        limit = f"goes on until step {steps:,}" if steps else "is not limited to a number of steps"
        return [Errors.BB660.format(step=len(used) - zeros, limit=limit)]
    problems, highest = [], max(rates)
    if steps and max(used) < 0.9 * highest:
        problems.append(Warnings.BW660.format(steps=steps, share=max(used) / highest))
    elif steps and used[-1] > HIGH * highest and min(rates[end:]) == 0.0:
        problems.append(Warnings.BW661.format(steps=steps, share=used[-1] / highest, zero=end + rates[end:].index(0.0)))
    return problems
