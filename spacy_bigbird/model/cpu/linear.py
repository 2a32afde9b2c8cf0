"""A linear layer that runs at a CPU's full speed, in inference and in training."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..activations import ACTIVATIONS
from .device import on_cpu
from .first_order import first_order_only
from .rows import filled_up, map_rows, split_rows

# With fewer rows than this, rounding up the number of rows is not worth the cost.
SMALLEST_BATCH = 32
# Activations that oneDNN can fuse with the product, with its names of the function and the variant.
FUSED_ACTIVATIONS = {"gelu_new": ("gelu", "tanh"), "gelu": ("gelu", "none"), "relu": ("relu", "")}
NOT_FUSED = ("none", "")


class Linear(nn.Linear):
    """A faster `torch.nn.Linear` for CPUs, with the same parameters and results.

    Without gradients, the product and the activation are one call of oneDNN, under autocast in autocast's dtype. The
    weights are read in every call: there is no copy of them that could be out of date.

    in_features (int): width of the input.
    out_features (int): width of the output.
    bias (bool): whether there is a bias.
    """

    def forward(self, x: Tensor, activation: str | None = None) -> Tensor:
        """Apply the layer.

        x (Tensor): input. Shape: (..., in_features).
        activation (str | None): name of an activation to apply to the result, as in `ACTIVATIONS`.
        RETURNS (Tensor): output. Shape: (..., out_features).
        """
        dtype = compute_dtype(x)
        fused = None
        if not self._is_worth_it(x, dtype):
            result = F.linear(x, self.weight, self.bias)
        elif self._needs_graph(x) or not has_onednn(dtype):
            result = _Linear.apply(x, self.weight, self.bias, dtype)
        else:
            weight, bias = _cast(self.weight, dtype), None if self.bias is None else _cast(self.bias, dtype)
            fused = FUSED_ACTIVATIONS.get(activation or "")

            def multiplied(part: Tensor) -> Tensor:
                return onednn_linear(part.to(dtype), weight, bias, *(fused or NOT_FUSED))

            result = map_rows(multiplied, x.flatten(0, -2), width=self.out_features, dtype=dtype)
            result = result.unflatten(0, x.shape[:-1])
        return result if activation is None or fused else ACTIVATIONS[activation](result)

    def _is_worth_it(self, x: Tensor, dtype: torch.dtype) -> bool:
        """Whether PyTorch alone would compute this product too slowly or with too much memory."""
        return (
            on_cpu(x, self.weight)
            and dtype in (torch.float32, torch.bfloat16)
            and x.numel() >= SMALLEST_BATCH * self.in_features
        )

    def _needs_graph(self, x: Tensor) -> bool:
        """Whether a backward pass may follow, or repeats this pass and must compute the same."""
        tensors = (x, self.weight, self.bias)
        needs_gradient = any(tensor is not None and tensor.requires_grad for tensor in tensors)
        return self.training or (torch.is_grad_enabled() and needs_gradient)


class _Linear(torch.autograd.Function):
    """Compute x W^T + b, with all products of both passes computed in parts at the CPU's full speed."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> Tensor:
        # Kept in the products' dtype, which takes half the memory under autocast.
        rows = x.flatten(0, -2).to(dtype)
        ctx.save_for_backward(rows, weight)
        ctx.shape = x.shape
        output = rows.new_empty(filled_up(len(rows)), len(weight))
        with without_autocast(x):
            cast_weight, cast_bias = weight.to(dtype), None if bias is None else bias.to(dtype)
            for part, product in zip(split_rows(rows), split_rows(output), strict=True):
                multiply(part, cast_weight.T, cast_bias, product)
        return output[: len(rows)].unflatten(0, x.shape[:-1])

    @staticmethod
    @first_order_only
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        rows, weight = ctx.saved_tensors
        wants_x, wants_weight, wants_bias, _ = ctx.needs_input_grad
        grads = split_rows(grad_output.flatten(0, -2).to(rows.dtype))
        grad_x = grad_weight = grad_bias = None
        with without_autocast(rows):
            if wants_x:
                cast_weight = weight.to(rows.dtype)
                grad_x = rows.new_empty(filled_up(len(rows)), rows.shape[1])
                for grad, product in zip(grads, split_rows(grad_x), strict=True):
                    multiply(grad, cast_weight, None, product)
                grad_x = grad_x[: len(rows)].view(ctx.shape)
            if wants_weight:
                for grad, part in zip(grads, split_rows(rows), strict=True):
                    grad_weight = add_product(grad_weight, grad.T, part, weight.dtype)
            if wants_bias:
                grad_bias = torch.stack([grad.sum(0) for grad in grads]).sum(0, dtype=weight.dtype)
        return grad_x, grad_weight, grad_bias, None


def without_autocast(x: Tensor) -> torch.autocast:
    """Compute products within a context in the dtype of their operands.

    x (Tensor): a tensor on the device of the products.
    RETURNS (torch.autocast): the context.
    """
    return torch.autocast(x.device.type, enabled=False)


def multiply(a: Tensor, b: Tensor, bias: Tensor | None, product: Tensor) -> None:
    """Write the product of two matrices, plus a bias, to a given tensor.

    a, b (Tensor): the matrices. Shapes: (m, k) and (k, n).
    bias (Tensor | None): the bias. Shape: (n,).
    product (Tensor): the output, which is overwritten. Shape: (m, n).
    """
    if _onednn_is_faster(a):
        product.copy_(onednn_linear(a, b.T, bias))
    elif bias is None:
        torch.mm(a, b, out=product)
    else:
        torch.addmm(bias, a, b, out=product)


def add_product(total: Tensor | None, a: Tensor, b: Tensor, dtype: torch.dtype) -> Tensor:
    """Add the product of two matrices to a sum, in place, and without an intermediate result where PyTorch can.

    total (Tensor | None): the sum so far; None to start a new one. Shape: (m, n).
    a, b (Tensor): the matrices. Shapes: (m, k) and (k, n).
    dtype (torch.dtype): dtype of the sum.
    RETURNS (Tensor): the sum. Shape: (m, n).
    """
    in_onednn = _onednn_is_faster(a)
    if total is not None and a.dtype == dtype and not in_onednn:
        return total.addmm_(a, b)
    product = onednn_linear(a, b.T) if in_onednn else a @ b
    return product.to(dtype) if total is None else total.add_(product)


class _CastWeights(threading.local):
    """A thread's weights in autocast's dtype, by identity of the weight; None outside of `weights_cast_once`."""

    kept: dict[int, Tensor] | None = None


_cast_weights = _CastWeights()


@contextmanager
def weights_cast_once() -> Iterator[None]:
    """Cast each weight to autocast's dtype once within this context and thread, instead of for every part of a batch.

    The weights must not change within the context, so it belongs around the parts of a single call.
    """
    if _cast_weights.kept is not None:
        yield
        return
    _cast_weights.kept = {}
    try:
        yield
    finally:
        _cast_weights.kept = None


def _cast(weight: Tensor, dtype: torch.dtype) -> Tensor:
    kept = _cast_weights.kept
    if kept is None or weight.dtype == dtype:
        return weight.to(dtype)
    if id(weight) not in kept:
        kept[id(weight)] = weight.to(dtype)
    return kept[id(weight)]


def compute_dtype(x: Tensor) -> torch.dtype:
    """Get the dtype in which products are computed: autocast's if it is enabled, or else that of the input.

    x (Tensor): the input.
    RETURNS (torch.dtype): the dtype.
    """
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


def onednn_linear(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, activation: str = "none", variant: str = ""
) -> Tensor:
    """Compute activation(x W^T + b) in one call of oneDNN, which never is less precise than its operands.

    x (Tensor): input on the CPU. Shape: (rows, width).
    weight (Tensor): weights of the same dtype, with any strides. Shape: (output width, width).
    bias (Tensor | None): the bias. Shape: (output width,).
    activation, variant (str): oneDNN's name of an activation, as in FUSED_ACTIVATIONS.
    RETURNS (Tensor): output, for which there is no backward pass. Shape: (rows, output width).
    """
    with torch.no_grad(), torch.autocast("cpu", enabled=False):
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, activation, [], variant)


@cache
def has_onednn(dtype: torch.dtype) -> bool:
    """Try once whether `onednn_linear` computes what it should.

    Its operator is private, so that a later PyTorch may lack or change it, and not every CPU can compute in bf16.

    dtype (torch.dtype): dtype of the operands.
    RETURNS (bool): whether it works.
    """
    with torch.device("cpu"):
        numbers = torch.linspace(-2, 2, 64 * 48, dtype=torch.float64).sin().to(dtype)
        x, weight, bias = numbers.view(64, 48), numbers[:1536].view(32, 48), numbers[-32:]
        exact = F.linear(*(tensor.double() for tensor in (x, weight, bias)))
        try:
            for name, fused in [("", NOT_FUSED), *FUSED_ACTIVATIONS.items()]:
                expected = ACTIVATIONS[name](exact) if name else exact
                found = onednn_linear(x, weight, bias, *fused)
                precision = 64 * torch.finfo(dtype).eps * expected.abs().max()
                if found.dtype != dtype or not (found - expected).abs().max() < precision:
                    return False
        except (AttributeError, RuntimeError, TypeError):  # no such operator, or one with other arguments
            return False
    return True


def _onednn_is_faster(example: Tensor) -> bool:
    """Whether to leave an fp32 product to oneDNN, because PyTorch's default, MKL, is not fast on all CPUs.

    On AMD's CPUs with AVX-512, MKL takes twice as long. Without AVX-512, it is a little faster than oneDNN.
    """
    return (
        example.dtype == torch.float32
        and on_cpu(example)
        and torch.backends.cpu.get_cpu_capability() == "AVX512"
        and has_onednn(torch.float32)
    )
