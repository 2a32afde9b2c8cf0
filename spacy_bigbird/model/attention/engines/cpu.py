"""The engine for CPUs: one sequence after another, each in parts that stay in the caches. See `model/cpu/`."""

import torch
from torch import Tensor

from ....plan.attention import AttentionPlan
from ...cpu.block_sparse import block_sparse_attention
from ...cpu.dense import dense_attention
from ...cpu.device import on_cpu


def attend(query_key_value: Tensor, plan: AttentionPlan, dropout: float) -> Tensor:
    """Compute the attention. Arguments as in `attention.api.attend`."""
    heads = plan.config.num_attention_heads
    outputs = []
    for rows, sequence in zip(query_key_value.split(plan.packing.row_counts), plan.sequences(), strict=True):
        if sequence.is_dense:
            outputs.append(dense_attention(rows, heads, dropout))
        else:
            outputs.append(block_sparse_attention(rows, plan.key_blocks(sequence), sequence.length, heads))
    if not outputs:
        return query_key_value.new_empty(0, query_key_value.shape[1] // 3)
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs)


def refusal(query_key_value: Tensor, plan: AttentionPlan, dropout: float) -> str | None:
    """Say what the engine cannot do. Arguments as in `attention.api.attend`."""
    if on_cpu(query_key_value):
        return None
    return f"it computes on the CPU only, and the model is on {query_key_value.device}"
