"""The feed-forward part of a layer, computed for some rows at a time.

In inference, the wide inner states never exist for a whole batch. In training, only those before the activation do.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge

from ...plan.config import BigBirdConfig
from ..activations import ACTIVATIONS
from .dropout import Dropout
from .first_order import first_order_only
from .linear import Linear, add_product, compute_dtype, multiply, weights_cast_once, without_autocast
from .rows import USUAL_PART, filled_up, map_rows, split_rows


class FeedForward(nn.Module):
    """Two linear layers with an activation in between, followed by dropout.

    config (BigBirdConfig): the hyper-parameters.
    """

    def __init__(self, config: BigBirdConfig) -> None:
        super().__init__()
        self.intermediate = Linear(config.hidden_size, config.intermediate_size)
        self.output = Linear(config.intermediate_size, config.hidden_size)
        self.dropout = Dropout(config.hidden_dropout_prob)
        self.activation = config.hidden_act

    def forward(self, hidden: Tensor) -> Tensor:
        """Apply the layers.

        hidden (Tensor): input. Shape: (..., hidden_size).
        RETURNS (Tensor): output. Shape: (..., hidden_size).
        """
        rows = hidden.flatten(0, -2)
        if torch.is_grad_enabled() and any(t.requires_grad for t in (rows, *self.parameters())):
            weights = [weight for layer in (self.intermediate, self.output) for weight in (layer.weight, layer.bias)]
            output = _FeedForward.apply(rows, *weights, self.activation, compute_dtype(rows))
        else:

            def transformed(part: Tensor) -> Tensor:
                return self.output(self.intermediate(part, self.activation))

            dtype = compute_dtype(rows)
            with weights_cast_once():
                output = map_rows(transformed, rows, width=rows.shape[1], dtype=dtype, largest=USUAL_PART)
        return self.dropout(output.view(hidden.shape))


class _FeedForward(torch.autograd.Function):
    """Keep the input and the states before the activation for the backward pass, which recomputes the activation."""

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
        # Kept in the products' dtype, which takes half the memory under autocast.
        rows = x.to(dtype)
        inner = rows.new_empty(filled_up(len(rows)), len(weight_in))
        output = rows.new_empty(len(inner), len(weight_out))
        with without_autocast(x):
            for part, before, after in zip(*(split_rows(t, USUAL_PART) for t in (rows, inner, output)), strict=True):
                multiply(part, cast_in.T, cast_bias_in, before)
                multiply(ACTIVATIONS[activation](before), cast_out.T, cast_bias_out, after)
        ctx.save_for_backward(rows, inner, weight_in, weight_out)
        ctx.activation = activation
        return output[: len(rows)]

    @staticmethod
    @first_order_only
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        rows, inner, weight_in, weight_out = ctx.saved_tensors
        dtype, precise = rows.dtype, weight_in.dtype
        cast_in, cast_out = weight_in.to(dtype), weight_out.to(dtype)
        grad_x = rows.new_empty(len(inner), rows.shape[1])
        grad_in = grad_out = None
        grad_bias_in, grad_bias_out = weight_in.new_zeros(len(weight_in)), weight_out.new_zeros(len(weight_out))
        parts = (split_rows(t, USUAL_PART) for t in (grad_output.to(dtype), rows, inner, grad_x))
        with without_autocast(rows):
            for grad, part, before, product in zip(*parts, strict=True):
                with torch.enable_grad():
                    before = before.detach().requires_grad_()
                    activated = ACTIVATIONS[ctx.activation](before)
                grad_out = add_product(grad_out, grad.T, activated.detach(), precise)
                # For most activations, autograd only needs the input from here on, so the output's memory can be freed.
                edge = get_gradient_edge(activated)
                del activated
                (grad_before,) = torch.autograd.grad(edge, before, grad @ cast_out)
                multiply(grad_before, cast_in, None, product)
                grad_in = add_product(grad_in, grad_before.T, part, precise)
                grad_bias_out += grad.sum(0)
                grad_bias_in += grad_before.sum(0)
        return grad_x[: len(rows)], grad_in, grad_bias_in, grad_out, grad_bias_out, None, None
