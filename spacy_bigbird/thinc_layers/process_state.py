"""State of a process that PyTorch shares between all models: random numbers, and threads after a fork."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch


class RandomState:
    """The random state of the CPU and of one device, for drawing the same dropout twice.

    device (torch.device): the device.
    """

    def __init__(self, device: torch.device) -> None:
        self.devices = [device] if device.type == "cuda" else []
        self.cpu = torch.get_rng_state()
        self.cuda = [torch.cuda.get_rng_state(device) for device in self.devices]

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Return to the saved state within a context. The state before it is restored at the end."""
        with torch.random.fork_rng(self.devices):
            torch.set_rng_state(self.cpu)
            for device, state in zip(self.devices, self.cuda, strict=True):
                torch.cuda.set_rng_state(state, device)
            yield


@cache
def use_one_thread_after_fork() -> None:
    """Limit forked processes to one thread: PyTorch's threads do not survive a fork, and the first product hangs."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_set_one_thread)


def _set_one_thread() -> None:
    torch.set_num_threads(1)
