"""How Thinc's optimizers change the weights of a PyTorch module."""

from collections.abc import Mapping

import torch
from thinc.api import Optimizer, torch2xp, xp2torch
from torch import Tensor, nn

from .types import Array


def take_step(parameter: nn.Parameter, optimizer: Optimizer, key: tuple[int, str], scale: float) -> None:
    """Update a weight with its gradient, and set the gradient to zero.

    parameter (Parameter): the weight, with a gradient.
    optimizer (Optimizer): the optimizer.
    key (tuple[int, str]): what the optimizer knows the weight by.
    scale (float): factor on the learning rate.
    """
    gradient: Tensor = parameter.grad  # type: ignore[assignment]  # the caller has looked
    weights: Array = torch2xp(parameter.data)
    of_weights: Array = torch2xp(gradient)
    changed, _ = optimizer(key, weights, of_weights, lr_scale=scale)
    result: Tensor = xp2torch(changed, device=parameter.device)
    if result.data_ptr() != parameter.data_ptr():
        # Through `data`, which autograd does not track: in spaCy's stock order, a step may come between the forward and
        # the backward pass of a batch.
        parameter.data.copy_(result)
    gradient.zero_()


def copy_into(parameters: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    """Change weights in place.

    parameters (Mapping[str, Tensor]): the weights by name.
    values (Mapping[str, Tensor]): the new values of some of them.
    """
    with torch.no_grad():
        for name, value in values.items():
            parameters[name].copy_(value)
