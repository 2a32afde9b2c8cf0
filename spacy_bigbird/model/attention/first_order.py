"""Backward passes that have no derivative of their own."""

import functools
from collections.abc import Callable
from typing import Any

import torch

from ...errors import Errors


def first_order_only(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Make an `autograd.Function` refuse `create_graph=True`. PyTorch's `once_differentiable` does so only where the
    incoming gradient has a graph, and takes the result for a constant otherwise: second derivatives would be wrong.

    backward (Callable): the static method.
    RETURNS (Callable): the method; it raises RuntimeError when a graph of the backward pass is wanted.
    """

    @functools.wraps(backward)
    def checked(ctx: Any, *gradients: Any) -> Any:
        if torch.is_grad_enabled():
            raise RuntimeError(Errors.BB108)
        return backward(ctx, *gradients)

    return checked
