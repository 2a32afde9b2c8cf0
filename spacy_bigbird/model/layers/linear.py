"""A linear layer that reaches a CPU's full speed, in inference and in training."""

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

# Fewer rows than this do not pay for a second, packed copy of the weights, nor for rounding up their number.
SMALLEST_BATCH = 32
# Activations that oneDNN computes together with the product, as its names and variants.
FUSED_ACTIVATIONS = {"gelu_new": ("gelu", "tanh"), "gelu": ("gelu", "none"), "relu": ("relu", "")}
NOT_FUSED = ("none", "")
# Weights that are looked at for a change that PyTorch does not count.
SAMPLES = 256


class Linear(nn.Linear):
    """`torch.nn.Linear`, faster on CPUs. Parameters and results are the same.

    Without gradients it multiplies with a copy of the weights in the layout that oneDNN likes best, under autocast in
    the dtype of the autocast. The copy is made when it is first needed and again when the weights have changed; it is
    dropped when training begins and when the module is moved, loaded, copied or pickled.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__(in_features, out_features, bias)
        self._packed: _PackedWeight | None = None

    def forward(self, x: Tensor, activation: str | None = None) -> Tensor:
        """Apply the layer.

        x (Tensor): input. Shape: (..., in_features).
        activation (str | None): name of an activation to apply to the result.
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
            # Optimizers outside of PyTorch write to the weights' memory without leaving a trace.
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
        """Whether this is a product that PyTorch by itself would compute too slowly or at too much memory."""
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
    """A copy of a layer's weights for oneDNN, and of which state of the weights it is a copy.

    packed (Tensor): in oneDNN's layout.
    state (tuple): dtype, version and storage of the weights. PyTorch counts a version for every change but those made
        through `weight.data`, as averaging of weights often does.
    sample (Tensor): some of the weights, which tell such a change of all of them.
    """

    packed: Tensor
    state: tuple[Any, ...]
    sample: Tensor

    @classmethod
    def of(cls, weight: Tensor, dtype: torch.dtype) -> _PackedWeight:
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            # A hint for the layout; products with more or fewer rows work too.
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
    """x W^T + b with every product of both passes at the CPU's full speed, in parts."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> Tensor:
        # Kept as the products want it: autocast's type takes half the memory.
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
    """Products in the dtype of their operands, through the fastest library.

    x (Tensor): says where the products are computed.
    dtype (torch.dtype): what they are computed in.
    """
    with torch.autocast(x.device.type, enabled=False), fast_float32_products(x.new_empty(0, dtype=dtype)):
        yield


def multiply(a: Tensor, b: Tensor, bias: Tensor | None, product: Tensor) -> None:
    """Write a product, plus a bias, where it shall stand.

    a, b (Tensor): Shape: (m, k) and (k, n).
    bias (Tensor | None): Shape: (n,).
    product (Tensor): is overwritten. Shape: (m, n).
    """
    if bias is None:
        torch.mm(a, b, out=product)
    else:
        torch.addmm(bias, a, b, out=product)


def add_product(total: Tensor | None, a: Tensor, b: Tensor, dtype: torch.dtype) -> Tensor:
    """Add a product to a sum, in place and, where all have one dtype, without an intermediate result.

    total (Tensor | None): the sum so far; None for the first. Shape: (m, n).
    a, b (Tensor): Shape: (m, k) and (k, n).
    dtype (torch.dtype): of the sum.
    RETURNS (Tensor): the sum. Shape: (m, n).
    """
    if total is None:
        return (a @ b).to(dtype)
    return total.addmm_(a, b) if a.dtype == dtype else total.add_(a @ b)


def compute_dtype(x: Tensor) -> torch.dtype:
    """RETURNS (torch.dtype): what products with `x` are computed in: autocast's type, or that of `x`."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


def _has_packed_products() -> bool:
    """The operators are private, so a later PyTorch may lack them; then plain products do the work."""
    operators = torch.ops.mkldnn
    return (
        torch.backends.mkldnn.is_available()
        and hasattr(operators, "_reorder_linear_weight")
        and hasattr(operators, "_linear_pointwise")
    )
