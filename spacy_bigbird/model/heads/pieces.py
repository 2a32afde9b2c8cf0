"""Keep padding away from heads and losses."""

from collections.abc import Callable

from torch import Tensor

from ..padded import PaddedBatch
from .losses import IGNORED


def on_pieces(head: Callable[[Tensor], Tensor], states: Tensor, attention_mask: Tensor | None) -> Tensor:
    """Apply a head only to the pieces of a padded batch.

    head (Callable[[Tensor], Tensor]): maps rows of shape (pieces, hidden_size) to rows of shape (pieces, ...).
    states (Tensor): states of the last layer. Shape: (batch, seq, hidden_size).
    attention_mask (Tensor | None): 1 for pieces, 0 for padding; None for no padding. Shape: (batch, seq).
    RETURNS (Tensor): the head's output, with zeros for padding. Shape: (batch, seq, ...).
    """
    mask = None if attention_mask is None or bool(attention_mask.all()) else attention_mask.bool()
    batch = PaddedBatch((states.shape[0], states.shape[1]), mask)
    return batch.pad(head(batch.pieces(states)))


def without_padding(labels: Tensor, attention_mask: Tensor | None) -> Tensor:
    """Replace the labels of padding by -100.

    labels (Tensor): a label for each position. Shape: (batch, seq).
    attention_mask (Tensor | None): 1 for pieces, 0 for padding; None for no padding. Shape: (batch, seq).
    RETURNS (Tensor): the labels, unchanged if the mask has another shape. Shape: (batch, seq).
    """
    if attention_mask is None or labels.shape != attention_mask.shape:
        return labels
    return labels.masked_fill(~attention_mask.bool(), IGNORED)
