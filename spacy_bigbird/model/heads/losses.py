"""Losses that ignore padding, and are zero if no label counts."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import Errors
from ...plan.config import BigBirdConfig
from ..cpu.device import on_cpu

IGNORED = -100


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Compute the mean cross-entropy over the labels that count.

    logits (Tensor): scores of the classes. Shape: (..., classes).
    labels (Tensor): indices of the correct classes. -100 is ignored. Shape: (...).
    RETURNS (Tensor): the loss, which is zero and has zero gradients if no label counts. Shape: scalar.
    RAISES ValueError: the labels have another shape, or there is no such class.
    """
    check_labels(labels, logits.shape[:-1], logits.shape[-1])
    labels = labels.reshape(-1).long()
    loss = F.cross_entropy(exact(logits).reshape(-1, logits.shape[-1]), labels, ignore_index=IGNORED, reduction="sum")
    return loss / (labels != IGNORED).sum().clamp(min=1)


def span_loss(start_logits: Tensor, end_logits: Tensor, start: Tensor, end: Tensor, allowed: Tensor | None) -> Tensor:
    """Compute the mean of the cross-entropies for the first and the last pieces of answers.

    start_logits, end_logits (Tensor): scores of each piece as the first and last of the answer. Shape: (batch, seq).
    start, end (Tensor): positions of the correct pieces. Those outside the sequence are ignored.
        Shape: (batch,) or (batch, 1).
    allowed (Tensor | None): True for pieces; None if there is no padding. Positions in padding are ignored.
        Shape: (batch, seq).
    RETURNS (Tensor): the loss. Shape: scalar.
    RAISES ValueError: the positions have another shape.
    """

    def one_side(logits: Tensor, positions: Tensor) -> Tensor:
        if positions.numel() != len(logits):
            raise _wrong_shape(positions, logits.shape[:1])
        positions = positions.reshape(-1, 1).long()
        inside = (positions >= 0) & (positions < logits.shape[1])
        if allowed is not None:
            inside = inside & allowed.gather(1, positions.clamp(0, logits.shape[1] - 1))
        return cross_entropy(logits, positions.masked_fill(~inside, IGNORED).squeeze(1))

    return (one_side(start_logits, start) + one_side(end_logits, end)) / 2


def sequence_loss(logits: Tensor, labels: Tensor, config: BigBirdConfig) -> Tensor:
    """Compute the loss for the `problem_type`.

    If the configuration has none, a model with one label does regression. With several labels, integer labels mean one
    label for each text, and floating-point labels mean several.

    logits (Tensor): scores of the labels, or predicted values. Shape: (batch, num_labels).
    labels (Tensor): for one label, its index, shape (batch,); for several, 0 or 1 for each of them, shape
        (batch, num_labels); for regression, values, shape (batch,) or (batch, num_labels). -100 is ignored, except in
        regression.
    config (BigBirdConfig): configuration with the `problem_type`.
    RETURNS (Tensor): the loss: cross-entropy, binary cross-entropy or mean squared error. Shape: scalar.
    RAISES ValueError: the labels have another shape, or there is no such label.
    """
    problem_type = config.problem_type or _problem_type_of(logits, labels)
    if problem_type == "single_label_classification":
        return cross_entropy(logits, labels.reshape(-1) if labels.numel() == len(logits) else labels)
    if labels.numel() != logits.numel():
        raise _wrong_shape(labels, logits.shape)
    logits = exact(logits)
    targets = labels.reshape(logits.shape).to(logits.dtype)
    if problem_type == "regression":
        return (logits - targets).square().sum() / max(1, logits.numel())
    counted = targets != IGNORED
    loss = F.binary_cross_entropy_with_logits(logits[counted], targets[counted], reduction="sum")
    return loss / counted.sum().clamp(min=1)


def exact(logits: Tensor) -> Tensor:
    """Convert scores to at least fp32.

    logits (Tensor): scores of any floating-point type. Shape: any.
    RETURNS (Tensor): the scores in fp32 or higher precision. Shape: that of the input.
    """
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def check_labels(labels: Tensor, shape: torch.Size, classes: int) -> None:
    """Raise a clear error for labels that do not fit.

    Values are only checked on the CPU, because the check would stall the queue of a GPU.

    labels (Tensor): indices of classes, or -100.
    shape (torch.Size): expected shape.
    classes (int): number of classes.
    RAISES ValueError: the labels have another shape, or there is no such class.
    """
    if labels.shape != shape:
        raise _wrong_shape(labels, shape)
    if on_cpu(labels):
        wrong = labels[((labels < 0) | (labels >= classes)) & (labels != IGNORED)]
        if len(wrong):
            raise ValueError(Errors.BB101.format(label=int(wrong[0]), highest=classes - 1))


def _problem_type_of(logits: Tensor, labels: Tensor) -> str:
    if logits.shape[-1] == 1:
        return "regression"
    return "multi_label_classification" if labels.is_floating_point() else "single_label_classification"


def _wrong_shape(labels: Tensor, shape: torch.Size) -> ValueError:
    return ValueError(Errors.BB100.format(given=tuple(labels.shape), expected=tuple(shape)))
