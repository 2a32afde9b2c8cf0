"""Dense attention of a padded batch with a mask: for decoders."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .precision import fast_float32_products


def masked_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    dropout: float = 0.0,
    head_mask: Tensor | None = None,
    output_attentions: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Attend to the keys that a mask allows. A query without any gets zeros.

    query (Tensor): Shape: (batch, heads, queries, head_size).
    key, value (Tensor): Shape: (batch, heads, keys, head_size).
    mask (Tensor | None): True where a query may see a key; None means everywhere. Shape: (batch or 1, 1, queries or 1,
        keys).
    dropout (float): probability with which an attention probability is set to zero.
    head_mask (Tensor | None): a factor for each head's output. Shape: (heads,).
    output_attentions (bool): whether the probabilities are wanted.
    RETURNS (tuple[Tensor, Tensor | None]): the heads' outputs side by side, shape (batch, queries, heads * head_size),
        and the probabilities, shape (batch, heads, queries, keys).
    """
    probabilities = None
    with fast_float32_products(query):
        if output_attentions:
            probabilities = torch.dropout(_probabilities(query, key, mask), dropout, train=dropout > 0)
            context = probabilities @ value
        else:
            context = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
    if head_mask is not None:
        context = context * head_mask[:, None, None]
        probabilities = None if probabilities is None else probabilities * head_mask[:, None, None]
    return context.transpose(1, 2).flatten(2), probabilities


def causal_mask(pieces: Tensor | None, queries: int, keys: int, device: torch.device) -> Tensor | None:
    """What a decoder may see: pieces up to itself. Padding sees itself alone, so that its row is not empty.

    pieces (Tensor | None): True for pieces, False for padding; None means pieces everywhere. Shape: (batch, keys).
    queries (int): number of queries, which are the last of the keys.
    keys (int): number of keys.
    device (torch.device): where the mask shall be.
    RETURNS (Tensor | None): True where a query may see a key, or None for everywhere.
        Shape: (batch or 1, 1, queries, keys).
    """
    if pieces is None and queries == 1:
        return None
    query = torch.arange(keys - queries, keys, device=device)[:, None]
    key = torch.arange(keys, device=device)
    mask = (key <= query)[None, None]
    return mask if pieces is None else (mask & pieces[:, None, None]) | (key == query)


def split_heads(rows: Tensor, parts: int, heads: int) -> tuple[Tensor, ...]:
    """Take projections that lie side by side apart.

    rows (Tensor): Shape: (batch, seq, parts * heads * head_size).
    parts (int): number of projections.
    heads (int): attention heads.
    RETURNS (tuple[Tensor, ...]): the projections. Shape: (batch, heads, seq, head_size) each.
    """
    return rows.unflatten(2, (parts, heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)


def _probabilities(query: Tensor, key: Tensor, mask: Tensor | None) -> Tensor:
    scores = query @ key.transpose(2, 3) * query.shape[-1] ** -0.5
    # In at least float32, since half floats lose the tail of the softmax.
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    if mask is None:
        return scores.softmax(-1).to(query.dtype)
    return (scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1) * mask).to(query.dtype)
