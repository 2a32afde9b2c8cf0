"""Operations of a training step, counted by hand and by PyTorch's own counter."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from spacy_bigbird.plan.config import BigBirdConfig
from spacy_bigbird.pretraining.throughput import matrix_product_limit, training_operations

SMALL = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16, "vocab_size": 200}


def plain_step(config: BigBirdConfig, lengths: list[int], masked: int) -> None:
    """The matrix products of one dense step, written down once more."""
    width = config.hidden_size
    for _ in range(config.num_hidden_layers):
        hidden = torch.randn(sum(lengths), width, requires_grad=True)
        for columns in (width, width, width, width, config.intermediate_size):
            (hidden @ torch.randn(width, columns, requires_grad=True)).sum().backward()
        inner = torch.randn(sum(lengths), config.intermediate_size, requires_grad=True)
        (inner @ torch.randn(config.intermediate_size, width, requires_grad=True)).sum().backward()
        for length in lengths:
            query, key, value = (torch.randn(length, width, requires_grad=True) for _ in range(3))
            ((query @ key.T) @ value).sum().backward()
    rows = torch.randn(masked, width, requires_grad=True)
    dense, decoder = (torch.randn(n, width, requires_grad=True) for n in (width, config.vocab_size))
    (rows @ dense.T).sum().backward()
    (rows @ decoder.T).sum().backward()


def test_a_dense_step_counts_as_pytorch_counts_it():
    config = BigBirdConfig(**SMALL)
    with FlopCounterMode(display=False) as counter:
        plain_step(config, [40, 24], 9)
    assert training_operations(config, [40, 24], 9) == counter.get_total_flops()


def test_sparse_attention_grows_linearly():
    config = BigBirdConfig(**SMALL, max_position_embeddings=8192, block_size=16, full_attention_up_to=256)
    at = {length: training_operations(config, [length], 0) for length in (2048, 4096, 8192)}
    assert at[8192] - at[4096] == 2 * (at[4096] - at[2048])
    dense = training_operations(config.replace(attention_type="original_full"), [4096], 0)
    assert dense > 4 * at[4096]


@pytest.mark.parametrize("mixed_precision", [False, True])
def test_the_limit_of_the_machine_is_a_speed(mixed_precision):
    limit = matrix_product_limit(torch.device("cpu"), mixed_precision, seconds=0.0)
    assert limit > 1e6
