"""Dense attention of one sequence, for short ones and for `attention_type = "original_full"`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .dropout_mask import draw_kept
from .first_order import first_order_only
from .softmax import softmax, softmax_backward
from .workspace import few_sizes, workspace

# Up to this many pieces, plain products are faster than PyTorch's operator: in bf16, twice as fast.
LONGEST_FOR_PRODUCTS = 1024
# Number of scores that a CPU's caches hold, which limits how many heads are computed at a time.
SCORES_AT_ONCE = 2**20


def dense_attention(query_key_value: Tensor, num_heads: int, dropout: float = 0.0) -> Tensor:
    """Attend from every piece to every piece.

    query_key_value (Tensor): concatenated projections of one sequence. Shape: (length, 3 * num_heads * head_size).
    num_heads (int): number of attention heads.
    dropout (float): dropout of the attention probabilities.
    RETURNS (Tensor): the concatenated outputs of the heads. Shape: (length, num_heads * head_size).
    """
    length, width = query_key_value.shape
    if length <= LONGEST_FOR_PRODUCTS:
        return _AttentionByProducts.apply(query_key_value, num_heads, dropout)
    query, key, value = _by_head(query_key_value, num_heads)[:, None]
    dtype = query_key_value.dtype
    if query_key_value.requires_grad:
        # In half precision, the operator's backward pass keeps code for every new length, and there are many.
        query, key, value = (part.to(torch.promote_types(dtype, torch.float32)) for part in (query, key, value))
    output = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
    return output.transpose(1, 2).reshape(length, width // 3).to(dtype)


def _by_head(rows: Tensor, num_heads: int) -> Tensor:
    """View projections by head. Shape: (3, heads, length, head_size), for query, key and value."""
    return rows.view(len(rows), 3, num_heads, -1).permute(1, 2, 0, 3)


class _AttentionByProducts(torch.autograd.Function):
    """Product, softmax, product. The backward pass recomputes the probabilities from the input and dropout's mask."""

    @staticmethod
    def forward(ctx: Any, query_key_value: Tensor, num_heads: int, dropout: float) -> Tensor:
        length, width = query_key_value.shape
        kept, scale = draw_kept((num_heads, length, length), dropout) if dropout else (None, 1.0)
        ctx.save_for_backward(query_key_value, kept)
        ctx.arguments = num_heads, scale
        output = query_key_value.new_empty(length, num_heads, width // (3 * num_heads))
        for heads in _some_heads(query_key_value, num_heads, kept):
            probabilities = heads.drop(heads.probabilities())
            output[:, heads.which] = torch.bmm(probabilities, heads.value)[:, :length].transpose(0, 1)
        if kept is not None:
            output *= scale
        return output.flatten(1)

    @staticmethod
    @first_order_only
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None, None]:
        query_key_value, kept = ctx.saved_tensors
        num_heads, scale = ctx.arguments
        length = len(query_key_value)
        gradient = torch.empty_like(query_key_value)
        grad_query, grad_key, grad_value = _by_head(gradient, num_heads)
        grad_by_head = grad_output.view(length, num_heads, -1).transpose(0, 1)
        for heads in _some_heads(query_key_value, num_heads, kept):
            grad = workspace.get("dense gradient", heads.value.shape, heads.value)
            torch.mul(grad_by_head[heads.which], scale, out=grad[:, :length])
            grad[:, length:] = 0
            probabilities = heads.probabilities()
            grad_scores = workspace.get("dense gradient of scores", probabilities.shape, probabilities)
            heads.drop(torch.bmm(grad, heads.value.transpose(1, 2), out=grad_scores))
            softmax_backward(probabilities, grad_scores)
            grad_query[heads.which] = torch.bmm(grad_scores, heads.key)[:, :length].mul_(heads.scale)
            # The queries in the workspace are already scaled.
            grad_key[heads.which] = torch.bmm(grad_scores.transpose(1, 2), heads.query)[:, :length]
            probabilities = heads.drop(probabilities)
            grad_value[heads.which] = torch.bmm(probabilities.transpose(1, 2), grad)[:, :length]
        return gradient, None, None


@dataclass
class _Heads:
    """Some heads of one sequence, in workspaces that are valid until the next sequence.

    which (slice): the heads.
    length (int): number of pieces. Rows after them are zeros.
    query, key, value (Tensor): the projections, with scaled queries. Shape: (heads, rows, head_size).
    kept (Tensor | None): True for the probabilities that dropout keeps. Shape: (heads, length, length).
    """

    which: slice
    length: int
    query: Tensor
    key: Tensor
    value: Tensor
    kept: Tensor | None

    @property
    def scale(self) -> float:
        return self.query.shape[-1] ** -0.5

    def probabilities(self) -> Tensor:
        """Attention probabilities before dropout. Shape: (heads, rows, rows)."""
        num_heads, rows, _ = self.query.shape
        scores = workspace.get("dense scores", (num_heads, rows, rows), self.query)
        torch.bmm(self.query, self.key.transpose(1, 2), out=scores)
        scores[:, :, self.length :] = -torch.inf
        return softmax(scores)

    def drop(self, scores: Tensor) -> Tensor:
        """Zero what dropout does not keep, in place."""
        if self.kept is not None:
            scores[:, : self.length, : self.length] *= self.kept
        return scores


def _some_heads(query_key_value: Tensor, num_heads: int, kept: Tensor | None) -> Iterator[_Heads]:
    """Iterate over the heads, as many at a time as the CPU's caches hold."""
    by_head = _by_head(query_key_value, num_heads)
    length, head_size = by_head.shape[2:]
    rows = few_sizes(length)
    copied = workspace.get("dense query, key and value", (3, num_heads, rows, head_size), by_head)
    copied[:, :, :length] = by_head
    copied[:, :, length:] = 0
    copied[0] *= head_size**-0.5
    step = max(1, SCORES_AT_ONCE // rows**2)
    for first in range(0, num_heads, step):
        which = slice(first, first + step)
        query, key, value = copied[:, which]
        yield _Heads(which, length, query, key, value, None if kept is None else kept[which])
