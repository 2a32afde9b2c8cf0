"""Losses that leave padding out, and are zero where no label is left."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import Errors
from ..config import BigBirdConfig

IGNORED = -100


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy over the labels that count.

    logits (Tensor): scores of the classes. Shape: (..., classes).
    labels (Tensor): numbers of the right classes; -100 does not count. Shape: (...).
    RETURNS (Tensor): the loss; zero, with a gradient of zero, where no label counts. Shape: scalar.
    RAISES ValueError: for labels of another shape or of classes that do not exist.
    """
    check_labels(labels, logits.shape[:-1], logits.shape[-1])
    labels = labels.reshape(-1).long()
    loss = F.cross_entropy(exact(logits).reshape(-1, logits.shape[-1]), labels, ignore_index=IGNORED, reduction="sum")
    return loss / (labels != IGNORED).sum().clamp(min=1)


def span_loss(start_logits: Tensor, end_logits: Tensor, start: Tensor, end: Tensor, allowed: Tensor | None) -> Tensor:
    """Mean of the cross-entropies of first and last pieces of answers.

    start_logits, end_logits (Tensor): scores of the pieces. Shape: (batch, seq).
    start, end (Tensor): their right positions; those outside of the sequence do not count. Shape: (batch,) or
        (batch, 1).
    allowed (Tensor | None): True where there is a piece; positions in padding do not count. Shape: (batch, seq).
    RETURNS (Tensor): the loss. Shape: scalar.
    RAISES ValueError: for positions of another shape.
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
    """Loss of the kind that `problem_type` names. Where it names none, one label means regression, whole numbers mean
    one label for each text, and other numbers mean several.

    logits (Tensor): scores of the labels, or predicted values. Shape: (batch, num_labels).
    labels (Tensor): the right label's number, shape (batch,); or 0 and 1 for each label, shape (batch, num_labels);
        or values, shape (batch,) or (batch, num_labels). In the first two kinds -100 does not count.
    config (BigBirdConfig): gives `problem_type`.
    RETURNS (Tensor): the loss: cross-entropy, binary cross-entropy or mean squared error. Shape: scalar.
    RAISES ValueError: for labels of another shape or of classes that do not exist.
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
    """logits (Tensor): of any floating type.
    RETURNS (Tensor): the same in fp32 at least.
    """
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def check_labels(labels: Tensor, shape: torch.Size, classes: int) -> None:
    """Say it well when labels do not fit. On a GPU looking at values would stall the queue, so only shapes are checked.

    labels (Tensor): numbers of classes, or -100.
    shape (torch.Size): the shape that is expected.
    classes (int): the number of classes.
    RAISES ValueError: for labels of another shape or of classes that do not exist.
    """
    if labels.shape != shape:
        raise _wrong_shape(labels, shape)
    if labels.device.type == "cpu":
        wrong = labels[((labels < 0) | (labels >= classes)) & (labels != IGNORED)]
        if len(wrong):
            raise ValueError(Errors.BB101.format(label=int(wrong[0]), highest=classes - 1))


def _problem_type_of(logits: Tensor, labels: Tensor) -> str:
    if logits.shape[-1] == 1:
        return "regression"
    return "multi_label_classification" if labels.is_floating_point() else "single_label_classification"


def _wrong_shape(labels: Tensor, shape: torch.Size) -> ValueError:
    return ValueError(Errors.BB100.format(given=tuple(labels.shape), expected=tuple(shape)))
