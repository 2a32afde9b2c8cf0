"""Dropout of hidden states that takes little time and memory on a CPU."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .device import on_cpu
from .dropout_mask import draw_kept
from .first_order import first_order_only


class Dropout(nn.Dropout):
    """A `torch.nn.Dropout` that, on a CPU, draws faster and keeps a byte instead of a number per entry for the backward
    pass."""

    def forward(self, x: Tensor) -> Tensor:
        """Zero some entries in training, and scale the others so that the expected value stays the same.

        x (Tensor): input. Shape: any.
        RETURNS (Tensor): output. Shape: that of the input.
        """
        if not self.training or self.p == 0:
            return x
        return _Dropout.apply(x, self.p) if on_cpu(x) else F.dropout(x, self.p)


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, dropout: float) -> Tensor:
        kept, ctx.scale = draw_kept(x.shape, dropout)
        ctx.save_for_backward(kept)
        return (x * ctx.scale).mul_(kept)

    @staticmethod
    @first_order_only
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None]:
        (kept,) = ctx.saved_tensors
        return (grad_output * ctx.scale).mul_(kept), None
