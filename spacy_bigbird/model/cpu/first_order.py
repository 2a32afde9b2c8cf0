"""Backward passes that cannot be differentiated themselves."""

import functools
from collections.abc import Callable
from typing import Any

import torch

from ...errors import Errors


def first_order_only(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Make an `autograd.Function` raise an error for `create_graph=True`.

    PyTorch's `once_differentiable` does so only if the incoming gradient requires a gradient. Otherwise, it treats the
    result as a constant, and second derivatives would be wrong.

    backward (Callable): the static method.
    RETURNS (Callable): the method, which raises a RuntimeError if a graph of the backward pass is to be created.
    """

    @functools.wraps(backward)
    def checked(ctx: Any, *gradients: Any) -> Any:
        if torch.is_grad_enabled():
            raise RuntimeError(Errors.BB108)
        return backward(ctx, *gradients)

    return checked
