"""Dense attention of one sequence: for short ones, and for `attention_type = "original_full"`."""

import torch.nn.functional as F
from torch import Tensor

from .precision import fast_float32_products


def dense_attention(query_key_value: Tensor, num_heads: int, dropout: float = 0.0) -> Tensor:
    """Attend from every piece to every piece.

    query_key_value (Tensor): projections of one sequence, side by side.
        Shape: (length, 3 * num_heads * head_size).
    num_heads (int): attention heads.
    dropout (float): probability with which an attention probability is set to zero.
    RETURNS (Tensor): the heads' outputs side by side. Shape: (length, num_heads * head_size).
    """
    length, width = query_key_value.shape
    by_head = query_key_value.view(1, length, 3, num_heads, width // (3 * num_heads))
    query, key, value = by_head.permute(2, 0, 3, 1, 4)
    with fast_float32_products(query_key_value):
        output = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
    return output.transpose(1, 2).reshape(length, width // 3)
