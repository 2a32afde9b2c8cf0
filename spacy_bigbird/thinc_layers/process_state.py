"""State of a process that PyTorch shares between all models: random numbers, and threads after a fork."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from spacy.language import Language


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


class _Process:
    """Whether this process was forked and has not computed since."""

    is_new_fork = False


def use_one_thread_if_forked() -> None:
    """Limit a forked process to one thread, before it loads an encoder or computes with one for the first time.

    PyTorch's threads do not survive a fork, and the first product would wait for them forever. A forked process that
    has nothing to do with an encoder keeps its threads.
    """
    if _Process.is_new_fork:
        _Process.is_new_fork = False
        torch.set_num_threads(1)


def _notice_fork() -> None:
    _Process.is_new_fork = True
    if _is_worker_of_spacy():
        # At once, because any component of the pipeline may use PyTorch before the encoder does.
        use_one_thread_if_forked()


def _is_worker_of_spacy() -> bool:
    """Whether `nlp.pipe` with several processes is what has forked this one: it is still among the callers."""
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code is _WORKERS_START:
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


_WORKERS_START = getattr(getattr(Language, "_multiprocessing_pipe", None), "__code__", None)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_notice_fork)
