"""Activation functions, under the names that configurations use."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor


def gelu_tanh(x: Tensor) -> Tensor:
    """GELU with the tanh approximation, called gelu_new in configurations (Hendrycks & Gimpel 2016).

    x (Tensor): input. Shape: any.
    RETURNS (Tensor): output. Shape: that of the input.
    """
    return F.gelu(x, approximate="tanh")


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "relu": F.relu,
    "selu": F.selu,
    "gelu_new": gelu_tanh,
}
