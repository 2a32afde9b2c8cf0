"""The feed-forward part of a layer, some rows at a time: what is four times as wide never exists for a whole batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ..activations import ACTIVATIONS
from ..attention.precision import fast_float32_products
from ..config import BigBirdConfig
from .linear import Linear, compute_dtype

# Enough rows for products at full speed.
ROWS_AT_ONCE = 1024


class FeedForward(nn.Module):
    """Two linear layers with an activation between them, and dropout.

    config (BigBirdConfig): gives the widths, the activation and the dropout.
    """

    def __init__(self, config: BigBirdConfig) -> None:
        super().__init__()
        self.intermediate = Linear(config.hidden_size, config.intermediate_size)
        self.output = Linear(config.intermediate_size, config.hidden_size)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.activation = config.hidden_act

    def forward(self, hidden: Tensor) -> Tensor:
        """hidden (Tensor): input. Shape: (..., hidden_size).
        RETURNS (Tensor): output. Shape: (..., hidden_size).
        """
        rows = hidden.flatten(0, -2)
        if torch.is_grad_enabled() and (rows.requires_grad or self.intermediate.weight.requires_grad):
            weights = (*self.intermediate.parameters(), *self.output.parameters())
            output = _FeedForward.apply(rows, *weights, self.activation, compute_dtype(rows))
        else:
            parts = [self.output(self.intermediate(part, self.activation)) for part in rows.split(ROWS_AT_ONCE)]
            output = parts[0] if len(parts) == 1 else torch.cat(parts)
        return self.dropout(output.view(hidden.shape))


class _FeedForward(torch.autograd.Function):
    """Keeps input and state before the activation for the backward pass, and computes the activation again there."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight_in: Tensor,
        bias_in: Tensor,
        weight_out: Tensor,
        bias_out: Tensor,
        activation: str,
        dtype: torch.dtype,
    ) -> Tensor:
        cast_in, cast_bias_in, cast_out, cast_bias_out = (
            parameter.to(dtype) for parameter in (weight_in, bias_in, weight_out, bias_out)
        )
        inner = x.new_empty(len(x), len(weight_in), dtype=dtype)
        output = x.new_empty(len(x), len(weight_out), dtype=dtype)
        with _computing(x, dtype):
            for rows in _parts(len(x)):
                inner[rows] = F.linear(x[rows].to(dtype), cast_in, cast_bias_in)
                output[rows] = F.linear(ACTIVATIONS[activation](inner[rows]), cast_out, cast_bias_out)
        ctx.save_for_backward(x, inner, weight_in, weight_out)
        ctx.arguments = activation, dtype
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        x, inner, weight_in, weight_out = ctx.saved_tensors
        activation, dtype = ctx.arguments
        cast_in, cast_out = weight_in.to(dtype), weight_out.to(dtype)
        grad_x, grad_in, grad_out = torch.empty_like(x), torch.zeros_like(weight_in), torch.zeros_like(weight_out)
        grad_bias_in, grad_bias_out = weight_in.new_zeros(len(weight_in)), weight_out.new_zeros(len(weight_out))
        with _computing(x, dtype):
            for rows in _parts(len(x)):
                grad = grad_output[rows].to(dtype)
                with torch.enable_grad():
                    before = inner[rows].detach().requires_grad_()
                    activated = ACTIVATIONS[activation](before)
                (grad_inner,) = torch.autograd.grad(activated, before, grad @ cast_out)
                grad_x[rows] = grad_inner @ cast_in
                grad_out += grad.T @ activated.detach()
                grad_in += grad_inner.T @ x[rows].to(dtype)
                grad_bias_out += grad.sum(0)
                grad_bias_in += grad_inner.sum(0)
        return grad_x, grad_in, grad_bias_in, grad_out, grad_bias_out, None, None


def _parts(count: int) -> list[slice]:
    return [slice(start, start + ROWS_AT_ONCE) for start in range(0, count, ROWS_AT_ONCE)]


@contextmanager
def _computing(x: Tensor, dtype: torch.dtype) -> Iterator[None]:
    """Products at full speed, in the dtype of their operands."""
    with torch.autocast(x.device.type, enabled=False), fast_float32_products(x.new_empty(0, dtype=dtype)):
        yield
