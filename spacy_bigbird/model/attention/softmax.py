"""Softmax and its gradient, in memory that is there already."""

import torch
from torch import Tensor


def softmax(scores: Tensor) -> Tensor:
    """Softmax over the last dimension, computed in at least fp32, in the memory of the scores."""
    # Half floats go through fp32 inside of the operator; only its result is rounded.
    return torch.softmax(scores, dim=-1, out=scores)


def softmax_backward(probabilities: Tensor, grad: Tensor) -> Tensor:
    """Gradient of the scores from the gradient of their softmax, written over the latter."""
    return torch.ops.aten._softmax_backward_data.out(grad, probabilities, -1, probabilities.dtype, grad_input=grad)
