"""Packing: the dense-or-sparse rule, and rows that come back as they went in."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spacy_bigbird.model.packed import pack, unpack
from spacy_bigbird.plan.config import BigBirdConfig
from spacy_bigbird.plan.packing import plan_packing


def sparse(lengths, padded_length=None, **fields):
    packing = plan_packing(lengths, BigBirdConfig(**fields), padded_length)
    return [blocks > 0 for blocks in packing.pattern_blocks]


def test_dense_up_to_the_limit_that_the_config_sets():
    assert sparse([1, 1024, 1025, 4096]) == [False, False, True, True]
    assert sparse([320, 321, 640], full_attention_up_to=0) == [True, True, True]
    assert sparse([256, 257], full_attention_up_to=0) == [False, True]
    assert sparse([4096], attention_type="original_full") == [False]


def test_huggingface_rule_follows_the_padded_length():
    fields = {"random_pattern": "huggingface", "full_attention_up_to": 3000}
    assert sparse([704, 705], **fields) == [False, True]
    assert sparse([10, 705], padded_length=705, **fields) == [True, True]
    packing = plan_packing([10, 705], BigBirdConfig(**fields), padded_length=705)
    assert packing.pattern_blocks == (12, 12)
    assert packing.row_counts == [64, 768]


@given(st.lists(st.integers(1, 60), min_size=1, max_size=8), st.integers(1, 9), st.integers(0, 40))
def test_unpacking_undoes_packing(lengths, block_size, full_up_to):
    config = BigBirdConfig(block_size=block_size, full_attention_up_to=full_up_to)
    packing = plan_packing(lengths, config)
    pieces = torch.arange(1, sum(lengths) + 1)[:, None].float()
    rows = pack(pieces, packing)
    assert len(rows) == sum(packing.row_counts)
    assert torch.equal(unpack(rows, packing), pieces)
    starts = [sum(packing.row_counts[:i]) for i in range(len(lengths))]
    for start, length, count, blocks in zip(starts, lengths, packing.row_counts, packing.pattern_blocks, strict=True):
        assert count == (blocks * block_size if blocks else length)
        assert (rows[start : start + length] > 0).all()
        assert (rows[start + length : start + count] == 0).all()


@pytest.mark.parametrize("lengths", [[30], [7, 7], [64, 128, 640]])
def test_no_copy_where_nothing_is_padded(lengths):
    packing = plan_packing(lengths, BigBirdConfig(full_attention_up_to=100))
    pieces = torch.ones(sum(lengths), 2)
    assert pack(pieces, packing) is pieces
    assert unpack(pieces, packing) is pieces
