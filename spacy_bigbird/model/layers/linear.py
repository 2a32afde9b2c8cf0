"""A linear layer that runs at a CPU's full speed, in inference and in training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..activations import ACTIVATIONS
from ..attention.first_order import first_order_only
from ..attention.precision import fast_float32_products
from .rows import filled_up, map_rows, split_rows

# With fewer rows than this, neither a packed copy of the weights nor rounding up the number of rows is worth the cost.
SMALLEST_BATCH = 32
# Activations that oneDNN can fuse with the product, with its names of the function and the variant.
FUSED_ACTIVATIONS = {"gelu_new": ("gelu", "tanh"), "gelu": ("gelu", "none"), "relu": ("relu", "")}
NOT_FUSED = ("none", "")
# Maximum number of weights that are compared to detect changes that PyTorch does not count.
SAMPLES = 256


class Linear(nn.Linear):
    """A faster `torch.nn.Linear` for CPUs, with the same parameters and results.

    Without gradients, it uses a packed copy of the weights in oneDNN's preferred layout, and under autocast in
    autocast's dtype. The copy is made on first use, and again whenever the weights have changed. It is dropped when the
    module is set to training mode, moved or loaded, and is not included when the module is copied or pickled.

    in_features (int): width of the input.
    out_features (int): width of the output.
    bias (bool): whether there is a bias.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__(in_features, out_features, bias)
        self._packed: _PackedWeight | None = None

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
        elif self._can_be_packed(x):
            packed = self._packed
            if packed is None or not packed.is_current(self.weight, dtype):
                packed = self._packed = _PackedWeight.of(self.weight, dtype)
            fused = FUSED_ACTIVATIONS.get(activation or "")

            def multiplied(part: Tensor) -> Tensor:
                return packed(part.to(dtype), self.bias, *(fused or NOT_FUSED))

            result = map_rows(multiplied, x.flatten(0, -2), width=self.out_features, dtype=dtype)
            result = result.unflatten(0, x.shape[:-1])
        else:
            result = _Linear.apply(x, self.weight, self.bias, dtype)
        return result if activation is None or fused else ACTIVATIONS[activation](result)

    def train(self, mode: bool = True) -> Linear:
        if mode:
            # Optimizers other than PyTorch's may write to the weights' memory without PyTorch noticing.
            self._packed = None
        return super().train(mode)

    def _apply(self, fn: Any, recurse: bool = True) -> Linear:
        self._packed = None
        return super()._apply(fn, recurse)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._packed = None
        super()._load_from_state_dict(*args, **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_packed": None}

    def _is_worth_it(self, x: Tensor, dtype: torch.dtype) -> bool:
        """Whether PyTorch alone would compute this product too slowly or with too much memory."""
        return (
            x.device.type == self.weight.device.type == "cpu"
            and dtype in (torch.float32, torch.bfloat16)
            and x.numel() >= SMALLEST_BATCH * self.in_features
        )

    def _can_be_packed(self, x: Tensor) -> bool:
        needs_gradient = torch.is_grad_enabled() and any(t.requires_grad for t in (x, *self.parameters()))
        return not (needs_gradient or self.training or self.weight.is_inference()) and _has_packed_products()


@dataclass(frozen=True, eq=False)
class _PackedWeight:
    """A copy of a layer's weights for oneDNN, and the state of the weights at the time of copying.

    packed (Tensor): the weights in oneDNN's layout.
    state (tuple[Any, ...]): dtype of the copy, and version and address of the weights. PyTorch increments the version
        with every change, except for those made through `weight.data`, as in weight averaging.
    sample (Tensor): some of the weights, to detect such a change if it affects all of them. Shape: (samples,).
    """

    packed: Tensor
    state: tuple[Any, ...]
    sample: Tensor

    @classmethod
    def of(cls, weight: Tensor, dtype: torch.dtype) -> _PackedWeight:
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            # Only a hint for choosing the layout: products can have more or fewer rows.
            typical_rows = 4096
            packed = torch.ops.mkldnn._reorder_linear_weight(weight.to(dtype), typical_rows)
            return cls(packed, cls._state_of(weight, dtype), cls._sample_of(weight).clone())

    @staticmethod
    def _state_of(weight: Tensor, dtype: torch.dtype) -> tuple[Any, ...]:
        return dtype, weight._version, weight.data_ptr()

    @staticmethod
    def _sample_of(weight: Tensor) -> Tensor:
        return weight.detach().reshape(-1)[:: weight.numel() // SAMPLES + 1]

    def is_current(self, weight: Tensor, dtype: torch.dtype) -> bool:
        return self.state == self._state_of(weight, dtype) and torch.equal(self.sample, self._sample_of(weight))

    def __call__(self, x: Tensor, bias: Tensor | None, activation: str, variant: str) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            cast_bias = None if bias is None else bias.to(x.dtype)
            return torch.ops.mkldnn._linear_pointwise(x, self.packed, cast_bias, activation, [], variant)


class _Linear(torch.autograd.Function):
    """Compute x W^T + b, with all products of both passes computed in parts at the CPU's full speed."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> Tensor:
        # Kept in the products' dtype, which takes half the memory under autocast.
        rows = x.flatten(0, -2).to(dtype)
        ctx.save_for_backward(rows, weight)
        ctx.shape = x.shape
        output = rows.new_empty(filled_up(len(rows)), len(weight))
        with full_speed(x, dtype):
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
        with full_speed(rows, rows.dtype):
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


@contextmanager
def full_speed(x: Tensor, dtype: torch.dtype) -> Iterator[None]:
    """Compute products within this context in the dtype of their operands, with the fastest library.

    x (Tensor): a tensor on the device of the products.
    dtype (torch.dtype): dtype of the operands.
    """
    with torch.autocast(x.device.type, enabled=False), fast_float32_products(x.new_empty(0, dtype=dtype)):
        yield


def multiply(a: Tensor, b: Tensor, bias: Tensor | None, product: Tensor) -> None:
    """Write the product of two matrices, plus a bias, to a given tensor.

    a, b (Tensor): the matrices. Shapes: (m, k) and (k, n).
    bias (Tensor | None): the bias. Shape: (n,).
    product (Tensor): the output, which is overwritten. Shape: (m, n).
    """
    if bias is None:
        torch.mm(a, b, out=product)
    else:
        torch.addmm(bias, a, b, out=product)


def add_product(total: Tensor | None, a: Tensor, b: Tensor, dtype: torch.dtype) -> Tensor:
    """Add the product of two matrices to a sum, in place, and without an intermediate result if all dtypes are equal.

    total (Tensor | None): the sum so far; None to start a new one. Shape: (m, n).
    a, b (Tensor): the matrices. Shapes: (m, k) and (k, n).
    dtype (torch.dtype): dtype of the sum.
    RETURNS (Tensor): the sum. Shape: (m, n).
    """
    if total is None:
        return (a @ b).to(dtype)
    return total.addmm_(a, b) if a.dtype == dtype else total.add_(a @ b)


def compute_dtype(x: Tensor) -> torch.dtype:
    """Get the dtype in which products are computed: autocast's if it is enabled, or else that of the input.

    x (Tensor): the input.
    RETURNS (torch.dtype): the dtype.
    """
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


def _has_packed_products() -> bool:
    """Whether there are oneDNN's packed products. Their operators are private, so a later PyTorch may not have them."""
    operators = torch.ops.mkldnn
    return (
        torch.backends.mkldnn.is_available()
        and hasattr(operators, "_reorder_linear_weight")
        and hasattr(operators, "_linear_pointwise")
    )
