"""What heads do with padding: they never see it."""

from collections.abc import Callable

from torch import Tensor

from ..padded import PaddedBatch
from .losses import IGNORED


def on_pieces(head: Callable[[Tensor], Tensor], states: Tensor, attention_mask: Tensor | None) -> Tensor:
    """Apply a head to the pieces of a padded batch.

    head (Callable[[Tensor], Tensor]): from rows to rows.
    states (Tensor): Shape: (batch, seq, hidden_size).
    attention_mask (Tensor | None): 1 for pieces, 0 for padding. Shape: (batch, seq).
    RETURNS (Tensor): the head's output, zero at padding. Shape: (batch, seq, ...).
    """
    mask = None if attention_mask is None or bool(attention_mask.all()) else attention_mask.bool()
    batch = PaddedBatch((states.shape[0], states.shape[1]), mask)
    return batch.pad(head(batch.pieces(states)))


def without_padding(labels: Tensor, attention_mask: Tensor | None) -> Tensor:
    """labels (Tensor): one for each place of the batch. Shape: (batch, seq).
    attention_mask (Tensor | None): 1 for pieces, 0 for padding. Shape: (batch, seq).
    RETURNS (Tensor): the labels, -100 at padding. Shape: (batch, seq).
    """
    if attention_mask is None or labels.shape != attention_mask.shape:
        return labels
    return labels.masked_fill(~attention_mask.bool(), IGNORED)
