"""Dense attention of a padded batch with a mask, for decoders."""

import torch
import torch.nn.functional as F
from torch import Tensor


def masked_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    dropout: float = 0.0,
    head_mask: Tensor | None = None,
    output_attentions: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Attend to the keys that a mask allows. The output is zero for a query without any.

    query (Tensor): the queries. Shape: (batch, heads, queries, head_size).
    key, value (Tensor): the keys and values. Shape: (batch, heads, keys, head_size).
    mask (Tensor | None): True where a query may attend to a key; None for everywhere.
        Shape: (batch or 1, 1, queries or 1, keys).
    dropout (float): dropout of the attention probabilities.
    head_mask (Tensor | None): factors for the heads' outputs and probabilities. Shape: (heads,).
    output_attentions (bool): whether to return the probabilities.
    RETURNS (tuple[Tensor, Tensor | None]): the concatenated outputs of the heads and the probabilities.
        Shapes: (batch, queries, heads * head_size) and (batch, heads, queries, keys).
    """
    probabilities = None
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
    """Make the mask of a decoder, in which a query attends to the pieces up to its own position.

    Padding also attends to itself, so that no row of the mask is empty.

    pieces (Tensor | None): True for pieces, False for padding; None if there is no padding. Shape: (batch, keys).
    queries (int): number of queries, at the last positions of the keys.
    keys (int): number of keys.
    device (torch.device): device of the mask.
    RETURNS (Tensor | None): True where a query may attend to a key; None for everywhere.
        Shape: (batch or 1, 1, queries, keys).
    """
    if pieces is None and queries == 1:
        return None
    query = torch.arange(keys - queries, keys, device=device)[:, None]
    key = torch.arange(keys, device=device)
    mask = (key <= query)[None, None]
    return mask if pieces is None else (mask & pieces[:, None, None]) | (key == query)


def split_heads(rows: Tensor, parts: int, heads: int) -> tuple[Tensor, ...]:
    """Separate concatenated projections, and split each of them by head.

    rows (Tensor): the projections. Shape: (batch, seq, parts * heads * head_size).
    parts (int): number of projections.
    heads (int): number of attention heads.
    RETURNS (tuple[Tensor, ...]): the projections by head. Shape: (batch, heads, seq, head_size) each.
    """
    return rows.unflatten(2, (parts, heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)


def _probabilities(query: Tensor, key: Tensor, mask: Tensor | None) -> Tensor:
    scores = query @ key.transpose(2, 3) * query.shape[-1] ** -0.5
    # In at least fp32, because half precision loses the tail of the softmax.
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    if mask is None:
        return scores.softmax(-1).to(query.dtype)
    return (scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1) * mask).to(query.dtype)
