"""The feed-forward part of a layer, some rows at a time: what is four times as wide never exists for a whole batch."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ..activations import ACTIVATIONS
from ..config import BigBirdConfig
from .linear import Linear, add_product, compute_dtype, full_speed
from .rows import USUAL_PART, join_rows, split_rows


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
            parts = split_rows(rows, USUAL_PART)
            output = join_rows([self.output(self.intermediate(part, self.activation)) for part in parts], len(rows))
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
        outputs = []
        with full_speed(x, dtype):
            for start, part in enumerate(split_rows(x, USUAL_PART)):
                before = F.linear(part.to(dtype), cast_in, cast_bias_in)
                kept = inner[start * USUAL_PART :][:USUAL_PART]
                kept.copy_(before[: len(kept)])
                outputs.append(F.linear(ACTIVATIONS[activation](before), cast_out, cast_bias_out))
        ctx.save_for_backward(x, inner, weight_in, weight_out)
        ctx.arguments = activation, dtype
        return join_rows(outputs, len(x))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        x, inner, weight_in, weight_out = ctx.saved_tensors
        activation, dtype = ctx.arguments
        cast_in, cast_out = weight_in.to(dtype), weight_out.to(dtype)
        grad_in, grad_out = torch.zeros_like(weight_in), torch.zeros_like(weight_out)
        grad_bias_in, grad_bias_out = weight_in.new_zeros(len(weight_in)), weight_out.new_zeros(len(weight_out))
        grads_x = []
        with full_speed(x, dtype):
            for grad, part, before in zip(*(split_rows(t, USUAL_PART) for t in (grad_output, x, inner)), strict=True):
                grad = grad.to(dtype)
                with torch.enable_grad():
                    before = before.detach().requires_grad_()
                    activated = ACTIVATIONS[activation](before)
                (grad_before,) = torch.autograd.grad(activated, before, grad @ cast_out)
                grads_x.append((grad_before @ cast_in).to(x.dtype))
                add_product(grad_out, grad.T, activated.detach())
                add_product(grad_in, grad_before.T, part.to(dtype))
                grad_bias_out += grad.sum(0)
                grad_bias_in += grad_before.sum(0)
        return join_rows(grads_x, len(x)), grad_in, grad_bias_in, grad_out, grad_bias_out, None, None
