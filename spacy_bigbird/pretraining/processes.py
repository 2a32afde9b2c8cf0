"""What a training loop needs to know about the processes that it runs in, be it one or several."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import Errors


class Processes:
    """The processes of a run: this one alone, or those started by `accelerate launch` or `torchrun`.

    device (str): "auto", "cpu" or "cuda".
    RAISES ValueError: "cuda" was requested, but there is no GPU.
    RAISES ImportError: there are several processes, but the package accelerate is not installed.

    count (int): number of processes.
    number (int): index of this process, from 0.
    device (torch.device): device of this process.
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
        """Prepare a module for training.

        module (Module): the module that computes the loss.
        RETURNS (Module): the module on this process's device, with gradients that are averaged over the processes.
        """
        module = module.to(self.device)
        return module if self._accelerator is None else self._accelerator.prepare_model(module)

    def without_sync(self, prepared: nn.Module) -> AbstractContextManager[Any]:
        """Suspend the exchange of gradients, in order to accumulate them first.

        prepared (Module): the module that `prepare` returned.
        RETURNS (ContextManager): a context in which gradients are accumulated in this process only.
        """
        return nullcontext() if self._accelerator is None else self._accelerator.no_sync(prepared)

    def sum(self, tensor: Tensor) -> Tensor:
        """Sum a tensor over the processes.

        tensor (Tensor): a tensor, with the same shape in every process.
        RETURNS (Tensor): the sum, in every process.
        """
        return tensor if self._accelerator is None else self._accelerator.reduce(tensor, "sum")

    def wait(self) -> None:
        """Wait until all processes have reached this point."""
        if self._accelerator is not None:
            self._accelerator.wait_for_everyone()

    def end(self) -> None:
        """End the run in this process."""
        if self._accelerator is not None:
            self._accelerator.end_training()
