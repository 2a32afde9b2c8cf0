"""Softmax and its gradient, in place."""

import torch
from torch import Tensor


def softmax(scores: Tensor) -> Tensor:
    """Compute the softmax over the last dimension in place, in at least fp32.

    scores (Tensor): is overwritten. Shape: (..., keys).
    RETURNS (Tensor): probabilities, in the memory of the scores. Shape: (..., keys).
    """
    # The operator converts half precision to fp32 internally, and rounds only its result.
    return torch.softmax(scores, dim=-1, out=scores)


def softmax_backward(probabilities: Tensor, grad: Tensor) -> Tensor:
    """Compute the gradient of the scores from that of their softmax, in place.

    probabilities (Tensor): the softmax. Shape: (..., keys).
    grad (Tensor): gradient of the softmax, which is overwritten. Shape: (..., keys).
    RETURNS (Tensor): gradient of the scores, in the memory of `grad`. Shape: (..., keys).
    """
    return torch.ops.aten._softmax_backward_data.out(grad, probabilities, -1, probabilities.dtype, grad_input=grad)
