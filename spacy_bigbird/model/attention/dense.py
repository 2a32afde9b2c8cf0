"""Dense attention of one sequence: for short ones, and for `attention_type = "original_full"`."""

import torch
import torch.nn.functional as F
from torch import Tensor


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
    dtype = query_key_value.dtype
    if query_key_value.requires_grad and query_key_value.device.type == "cpu":
        # The backward pass in half precision keeps code for every new length, and lengths are many.
        query, key, value = (part.to(torch.promote_types(dtype, torch.float32)) for part in (query, key, value))
    output = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
    return output.transpose(1, 2).reshape(length, width // 3).to(dtype)
