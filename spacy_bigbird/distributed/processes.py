"""The processes that train a pipeline together: this one alone, or those of `accelerate launch` or `torchrun`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from ..errors import Errors

Value = TypeVar("Value")
# A process that has not answered for so long counts as dead. The others wait while the first one evaluates.
TIMEOUT = timedelta(minutes=60)


class Processes:
    """Processes that do the same at the same time.

    count (int): how many there are.
    number (int): the number of this one, from 0.

    device (torch.device): where what they exchange is, the CPU or this process's GPU.
    """

    def __init__(self, count: int = 1, number: int = 0, device: torch.device | None = None) -> None:
        self.count, self.number = count, number
        self.device = device or torch.device("cpu")

    @classmethod
    @contextmanager
    def joined(cls, use_gpu: bool = False, timeout: timedelta = TIMEOUT) -> Iterator[Processes]:
        """Join the others within a context, as the environment says.

        use_gpu (bool): whether tensors are exchanged between GPUs (NCCL) rather than by the CPU (gloo).
        timeout (timedelta): how long to wait for another process.
        YIELDS (Processes): the processes; one if the environment names no others.
        RAISES RuntimeError: the others do not come, or were never started.
        """
        # What `accelerate launch` sets for several processes, but without what tells them apart.
        if {"ACCELERATE_MIXED_PRECISION", "MASTER_ADDR"} <= os.environ.keys() and "WORLD_SIZE" not in os.environ:
            raise RuntimeError(Errors.BB425)
        count, number = (int(os.environ.get(name, default)) for name, default in (("WORLD_SIZE", 1), ("RANK", 0)))
        if count == 1:
            yield cls()
            return
        try:
            dist.init_process_group("nccl" if use_gpu else "gloo", timeout=timeout)
        except (RuntimeError, ValueError) as error:
            raise RuntimeError(Errors.BB424.format(count=count, reason=_first_line(error))) from error
        try:
            yield cls(count, number, torch.device("cuda", local_number()) if use_gpu else None)
        finally:
            dist.destroy_process_group()

    @property
    def is_main(self) -> bool:
        """Whether this process evaluates, reports and writes files."""
        return self.number == 0

    def sum(self, tensor: Tensor, doing: str) -> Tensor:
        """Sum a tensor over the processes, in place.

        tensor (Tensor): a tensor, with the same shape in every process.
        doing (str): what for, for the error message.
        RETURNS (Tensor): the tensor.
        RAISES RuntimeError: another process has stopped.
        """
        self._collect(lambda: dist.all_reduce(tensor), doing)
        return tensor

    def maximum(self, tensor: Tensor, doing: str) -> Tensor:
        """As `sum`, with the maximum of each number."""
        self._collect(lambda: dist.all_reduce(tensor, dist.ReduceOp.MAX), doing)
        return tensor

    def copy_from_main(self, tensor: Tensor, doing: str) -> Tensor:
        """Replace a tensor by that of the first process, in place. RETURNS (Tensor): the tensor."""
        self._collect(lambda: dist.broadcast(tensor, 0), doing)
        return tensor

    def share(self, make: Callable[[], Value], doing: str) -> Value:
        """Compute something in the first process only, while the others wait.

        make (Callable[[], Value]): computes it.
        doing (str): what for, for the error message.
        RETURNS (Value): the result, in every process.
        """
        result = [make() if self.is_main else None]
        self._collect(lambda: dist.broadcast_object_list(result, 0, device=self.device), doing)
        return result[0]  # type: ignore[return-value]

    def gather(self, value: Value, doing: str) -> list[Value]:
        """Get the values of all processes. RETURNS (list[Value]): in their order."""
        values: list[Any] = [value] * self.count
        self._collect(lambda: dist.all_gather_object(values, value), doing)
        return values

    def _collect(self, exchange: Callable[[], Any], doing: str) -> None:
        if self.count == 1:
            return
        try:
            exchange()
        except RuntimeError as error:  # what gloo and NCCL raise if the others are gone
            reason = _first_line(error)
            message = Errors.BB420.format(number=self.number, count=self.count, doing=doing, reason=reason)
            raise RuntimeError(message) from error


def count_processes() -> int:
    """Get the number of processes that this one has joined; 1 if it is alone."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def local_number() -> int:
    """Get the number of this process on its machine, which is also that of its GPU."""
    return int(os.environ.get("LOCAL_RANK", 0))


def total(values: list[Mapping[str, float]]) -> dict[str, float]:
    """Sum the numbers of several processes by their names."""
    names = dict.fromkeys(name for mapping in values for name in mapping)
    return {name: sum(mapping.get(name, 0.0) for mapping in values) for name in names}


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
