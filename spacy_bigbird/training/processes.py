"""One process or many: what a training loop needs to know about the others."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import Errors


class Processes:
    """The processes of a run: this one alone, or those that `accelerate launch` or `torchrun` started.

    device (str): "auto", "cpu" or "cuda".
    RAISES ValueError: there is no GPU and "cuda" was asked for.
    RAISES ImportError: there are several processes, and the package accelerate is not installed.

    count (int): how many there are.
    number (int): of this one, from 0.
    device (torch.device): where this one computes.
    """

    def __init__(self, device: str = "auto") -> None:
        if device == "cuda" and not torch.cuda.is_available():
            raise ValueError(Errors.BB352.format(given='training.device = "cuda"', expected="a GPU, but there is none"))
        kind = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        self._accelerator: Any = None
        self.count, self.number, self.device = 1, 0, torch.device(kind)
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            try:
                from accelerate import Accelerator
            except ImportError as error:
                raise ImportError(Errors.BB353) from error
            self._accelerator = Accelerator(cpu=kind == "cpu", mixed_precision="no")
            self.count, self.number = self._accelerator.num_processes, self._accelerator.process_index
            self.device = self._accelerator.device

    @property
    def is_main(self) -> bool:
        """Whether this process writes files."""
        return self.number == 0

    def prepare(self, module: nn.Module) -> nn.Module:
        """module (Module): computes a loss from which gradients are taken.
        RETURNS (Module): the same on this process's device; its gradients become means over the processes.
        """
        module = module.to(self.device)
        return module if self._accelerator is None else self._accelerator.prepare_model(module)

    def without_sync(self, prepared: nn.Module) -> AbstractContextManager[Any]:
        """prepared (Module): what `prepare` gave.
        RETURNS (ContextManager): inside, gradients only add up in this process.
        """
        return nullcontext() if self._accelerator is None else self._accelerator.no_sync(prepared)

    def sum(self, tensor: Tensor) -> Tensor:
        """tensor (Tensor): of the same shape in every process.
        RETURNS (Tensor): the sum over the processes, in all of them.
        """
        return tensor if self._accelerator is None else self._accelerator.reduce(tensor, "sum")

    def wait(self) -> None:
        """Go on only when all processes are here."""
        if self._accelerator is not None:
            self._accelerator.wait_for_everyone()

    def end(self) -> None:
        """Take leave of the others."""
        if self._accelerator is not None:
            self._accelerator.end_training()
