"""The pattern: Google's plan as transformers draws it in training, in rows that do not depend on the length."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import BigBirdConfig as ReferenceConfig
from transformers.models.big_bird.modeling_big_bird import BigBirdBlockSparseAttention

from spacy_bigbird.plan.config import BigBirdConfig
from spacy_bigbird.plan.pattern import MISSING, key_blocks, random_blocks


def make_config(heads=3, block_size=64, count=3, pattern="paper"):
    return BigBirdConfig(
        hidden_size=8 * heads,
        num_attention_heads=heads,
        block_size=block_size,
        num_random_blocks=count,
        random_pattern=pattern,
    )


@pytest.fixture
def numpy_state():
    """Restore NumPy's global stream, which transformers restarts."""
    state = np.random.get_state()
    yield
    np.random.set_state(state)


@pytest.mark.parametrize("length", [3072, 4096])
@pytest.mark.parametrize("layer", [0, 1, 11])
@pytest.mark.usefixtures("numpy_state")
def test_paper_pattern_is_what_transformers_draws_in_training(length, layer):
    heads = 12
    reference = BigBirdBlockSparseAttention(ReferenceConfig(), seed=layer).train()
    np.random.seed(layer)
    drawn = [
        reference._bigbird_block_rand_mask(4096, 4096, 64, 64, 3, last_idx=1024)[: length // 64 - 2]
        for _ in range(heads)
    ]
    ours = random_blocks(make_config(heads), layer, length // 64)
    np.testing.assert_array_equal(ours, np.stack(drawn))


def test_the_first_rows_are_these():
    """Anchors against a change of the drawing: the pattern is part of a checkpoint's meaning."""
    rows = random_blocks(make_config(), 0, 64)[0, :3].tolist()
    stream = np.random.RandomState(0)
    expected = [
        stream.permutation(np.arange(3, 16))[:3].tolist(),
        stream.permutation(np.arange(4, 16))[:3].tolist(),
        stream.permutation(np.array([1, *range(5, 16)]))[:3].tolist(),
    ]
    assert rows == expected


@given(
    st.integers(5, 90),
    st.integers(5, 90),
    st.integers(0, 5),
    st.sampled_from([1, 16, 64, 500, 700, 3000, 5000]),
    st.integers(0, 3),
)
def test_a_row_never_depends_on_the_length(n, m, count, block_size, layer):
    short, long = sorted((n, m))
    config = make_config(block_size=block_size, count=count)
    of_short, of_long = (random_blocks(config, layer, blocks) for blocks in (short, long))
    kept = of_short != MISSING
    # The last two rows of the shorter sequence may lose entries to its last block, which is global there.
    np.testing.assert_array_equal(of_short[kept], of_long[:, : short - 2][kept])


@given(st.integers(1, 100), st.integers(0, 6), st.sampled_from([8, 64, 300]), st.sampled_from(["paper", "none"]))
def test_every_kept_block_counts_once(num_blocks, count, block_size, pattern):
    config = make_config(block_size=block_size, count=count, pattern=pattern)
    drawn = random_blocks(config, 2, num_blocks)
    assert drawn.shape == (3, max(num_blocks - 2, 0), count)
    if num_blocks < 3:
        return
    keys = key_blocks(config, 2, num_blocks, num_blocks)
    assert keys.global_queries == (0, num_blocks - 1)
    for rows in keys.blocks.tolist():
        for query, row in enumerate(rows, start=1):
            kept = [block for block in row if block != MISSING]
            assert len(kept) == len(set(kept))
            assert {0, query - 1, query, query + 1, num_blocks - 1} <= set(kept) <= set(range(num_blocks))
            assert len(kept) <= 5 + count


def test_with_the_defaults_nothing_is_dropped_from_long_sequences():
    config = make_config(heads=12)
    for num_blocks in (17, 18, 40, 64, 100):
        assert (random_blocks(config, 5, num_blocks) != MISSING).all()


def test_heads_layers_and_rows_differ():
    config = make_config()
    first = random_blocks(config, 0, 64)
    assert not np.array_equal(first, random_blocks(config, 1, 64))
    assert not np.array_equal(first[0], first[1])
    assert np.array_equal(first, random_blocks(config, 0, 64))


def test_huggingface_pattern_reads_block_0_again_and_again():
    config = make_config(pattern="huggingface")
    assert (random_blocks(config, 0, 20) == 0).all()
    keys = key_blocks(config, 0, 20, 20)
    assert np.unique((keys.blocks == 0).sum(axis=2)).tolist() == [1 + config.num_random_blocks]


def test_huggingface_pattern_of_a_sequence_shorter_than_its_batch():
    keys = key_blocks(make_config(pattern="huggingface", count=1), 0, 20, 12)
    assert keys.global_queries == (0,)
    assert keys.blocks.shape == (3, 11, 5)
    assert sorted(set(keys.blocks[0, -1].tolist())) == [MISSING, 0, 10, 11]


def test_no_global_random_state_is_read_or_moved():
    before = np.random.get_state()[1].copy(), torch.random.get_rng_state()
    config = make_config(heads=2, block_size=32)
    first = random_blocks(config, 7, 200)
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])
    assert torch.equal(torch.random.get_rng_state(), before[1])
    np.testing.assert_array_equal(first, random_blocks(config, 7, 200))
