"""Block-sparse attention equals the dense oracle, forward and backward, whatever length, pattern and block size."""

import threading

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spacy_bigbird.model.attention.engines.reference import key_counts, reference_attention
from spacy_bigbird.model.cpu import block_sparse
from spacy_bigbird.model.cpu.block_sparse import block_sparse_attention
from spacy_bigbird.plan.config import BigBirdConfig
from spacy_bigbird.plan.packing import SMALLEST_SPARSE
from spacy_bigbird.plan.pattern import key_blocks


def make_config(heads, head_size, block_size, count, pattern):
    return BigBirdConfig(
        hidden_size=heads * head_size,
        num_attention_heads=heads,
        block_size=block_size,
        num_random_blocks=count,
        random_pattern=pattern,
    )


def oracle(projections, config, layer, length, num_blocks):
    by_head = projections[:length].unflatten(1, (3, config.num_attention_heads, -1)).permute(1, 2, 0, 3)
    counts = key_counts(config, layer, length, num_blocks)
    return reference_attention(*by_head, counts)[0].transpose(0, 1).flatten(1)


def fast(projections, config, layer, length, num_blocks):
    present = len(projections) // config.block_size
    keys = key_blocks(config, layer, num_blocks, present)
    return block_sparse_attention(projections, keys, length, config.num_attention_heads)[:length]


@given(
    length=st.integers(1, 400),
    block_size=st.integers(1, 24),
    count=st.integers(0, 4),
    pattern=st.sampled_from(["paper", "huggingface", "none"]),
    missing_blocks=st.integers(0, 3),
    layer=st.integers(0, 5),
    seed=st.integers(0, 1000),
)
def test_equals_the_dense_oracle_in_both_passes(length, block_size, count, pattern, missing_blocks, layer, seed):
    present = -(-length // block_size)
    num_blocks = max(present + (missing_blocks if pattern == "huggingface" else 0), SMALLEST_SPARSE)
    if pattern != "huggingface":
        # Nothing else asks for more blocks than the sequence has.
        length = max(length, (SMALLEST_SPARSE - 1) * block_size + 1)
        present = num_blocks = -(-length // block_size)
    config = make_config(2, 3, block_size, count, pattern)
    generator = torch.Generator().manual_seed(seed)
    projections = torch.randn(present * block_size, 18, generator=generator, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(length, 6, generator=generator, dtype=torch.float64)
    results = []
    for attend in (fast, oracle):
        output = attend(projections, config, layer, length, num_blocks)
        (gradient,) = torch.autograd.grad((output * weights).sum(), projections)
        results.append((output, gradient))
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=1e-10)


@pytest.mark.parametrize("pattern", ["paper", "huggingface", "none"])
def test_gradients_agree_with_finite_differences(pattern):
    config = make_config(2, 2, 2, 1, pattern)
    generator = torch.Generator().manual_seed(0)
    projections = torch.randn(14, 12, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: fast(x, config, 1, 13, 7), (projections,))


@pytest.mark.parametrize("chunk", [1, 2, 5, 1000])
def test_the_size_of_a_chunk_changes_nothing(chunk, monkeypatch):
    config = make_config(2, 8, 16, 3, "paper")
    projections = torch.randn(480, 48, generator=torch.Generator().manual_seed(1))
    expected = fast(projections, config, 0, 470, 30)
    monkeypatch.setattr(block_sparse, "CHUNK_PER_CORE", chunk)
    torch.testing.assert_close(fast(projections, config, 0, 470, 30), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_near_the_oracle(dtype):
    """The error budget is the oracle's own: its result in the same dtype, with softmax in fp32."""
    config = make_config(4, 16, 16, 3, "paper")
    projections = torch.randn(480, 192, generator=torch.Generator().manual_seed(2))
    exact = oracle(projections, config, 3, 480, 30)
    budget = (oracle(projections.to(dtype), config, 3, 480, 30).float() - exact).abs().max()
    result = fast(projections.to(dtype), config, 3, 480, 30)
    assert result.dtype == dtype
    assert (result.float() - exact).abs().max() <= 1.5 * budget


def test_padding_rows_are_never_attended_to():
    config = make_config(2, 4, 8, 2, "paper")
    projections = torch.randn(80, 24, generator=torch.Generator().manual_seed(3))
    expected = fast(projections, config, 0, 75, 10)
    projections[75:] = 1e4
    assert torch.equal(fast(projections, config, 0, 75, 10), expected)


def test_threads_do_not_share_workspaces():
    config = make_config(2, 8, 16, 3, "paper")
    inputs = [torch.randn(480, 48, generator=torch.Generator().manual_seed(seed)) for seed in range(4)]
    expected = [fast(x, config, 0, 480, 30) for x in inputs]
    results: dict[int, list[torch.Tensor]] = {}

    def work(number):
        results[number] = [fast(inputs[number], config, 0, 480, 30) for _ in range(10)]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(4):
        # Not bit for bit: which library computes fp32 products is a setting of the whole process.
        for result in results[number]:
            torch.testing.assert_close(result, expected[number], rtol=0, atol=1e-6)


def test_training_works_after_inference_mode():
    config = make_config(1, 4, 8, 1, "none")
    projections = torch.randn(80, 12, generator=torch.Generator().manual_seed(4))
    with torch.inference_mode():
        expected = fast(projections, config, 0, 80, 10).clone()
    projections.requires_grad_(True)
    output = fast(projections, config, 0, 80, 10)
    output.sum().backward()
    assert torch.equal(output, expected)
    assert projections.grad.abs().sum() > 0
