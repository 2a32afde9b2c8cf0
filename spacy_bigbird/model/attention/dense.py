"""Dense attention of one sequence: for short ones, and for `attention_type = "original_full"`."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .precision import fast_float32_products
from .workspace import few_sizes, workspace

# On a CPU and without gradients, up to so many pieces plain products beat PyTorch's operator: twice as fast in bf16.
LONGEST_FOR_PRODUCTS = 1024
# Scores at one time, of as many heads as that allows: what the caches of a CPU hold.
SCORES_AT_ONCE = 2**20


def dense_attention(query_key_value: Tensor, num_heads: int, dropout: float = 0.0) -> Tensor:
    """Attend from every piece to every piece.

    query_key_value (Tensor): projections of one sequence, side by side.
        Shape: (length, 3 * num_heads * head_size).
    num_heads (int): attention heads.
    dropout (float): probability with which an attention probability is set to zero.
    RETURNS (Tensor): the heads' outputs side by side. Shape: (length, num_heads * head_size).
    """
    length, width = query_key_value.shape
    # Shape: (query, key and value, heads, length, head_size)
    by_head = query_key_value.view(length, 3, num_heads, width // (3 * num_heads)).permute(1, 2, 0, 3)
    on_cpu = query_key_value.device.type == "cpu"
    if on_cpu and length <= LONGEST_FOR_PRODUCTS and not (dropout or query_key_value.requires_grad):
        return _attend_by_products(by_head)
    query, key, value = by_head[:, None]
    dtype = query_key_value.dtype
    if query_key_value.requires_grad and on_cpu:
        # The backward pass in half precision keeps code for every new length, and lengths are many.
        query, key, value = (part.to(torch.promote_types(dtype, torch.float32)) for part in (query, key, value))
    output = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
    return output.transpose(1, 2).reshape(length, width // 3).to(dtype)


def _attend_by_products(by_head: Tensor) -> Tensor:
    """Product, softmax, product. Shape: (query, key and value, heads, length, head_size) in, (length, width) out."""
    _, num_heads, length, head_size = by_head.shape
    rows = few_sizes(length)
    copied = workspace.get("dense query, key and value", (3, num_heads, rows, head_size), by_head)
    copied[:, :, :length] = by_head
    copied[:, :, length:] = 0
    copied[0] *= head_size**-0.5
    output = by_head.new_empty(length, num_heads, head_size)
    heads_at_once = max(1, SCORES_AT_ONCE // rows**2)
    with fast_float32_products(by_head):
        for first in range(0, num_heads, heads_at_once):
            query, key, value = copied[:, first : first + heads_at_once]
            scores = workspace.get("dense scores", (len(query), rows, rows), by_head)
            torch.bmm(query, key.transpose(1, 2), out=scores)
            scores[:, :, length:] = -torch.inf
            torch.softmax(scores, -1, out=scores)
            output[:, first : first + heads_at_once] = torch.bmm(scores, value)[:, :length].transpose(0, 1)
    return output.flatten(1)
