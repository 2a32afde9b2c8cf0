"""In train mode, at 3,072 and 4,096 pieces, transformers draws Google's plan: there `paper` computes the same."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from .parity import assert_same_gradients, make_ids, make_pair, run_theirs

FULL_SIZE = {
    "hidden_size": 12,
    "num_attention_heads": 3,
    "intermediate_size": 16,
    "max_position_embeddings": 4096,
    "block_size": 64,
    "num_random_blocks": 3,
}


@contextmanager
def global_numpy_stream_kept():
    """transformers seeds NumPy's global stream in each layer."""
    state = np.random.get_state()
    yield
    np.random.set_state(state)


@pytest.mark.parametrize("pieces", [3072, 4096])
def test_paper_is_what_transformers_trains_with(pieces):
    ours, theirs = make_pair("BigBirdModel", pattern="paper", **FULL_SIZE)
    inputs = {"input_ids": make_ids(2, pieces)}
    states = ours.train()(**inputs).last_hidden_state
    with global_numpy_stream_kept():
        without_plan = run_theirs(theirs, **inputs).last_hidden_state
        expected = run_theirs(theirs.train(), **inputs).last_hidden_state
    assert (without_plan - expected).abs().max() > 0.01
    torch.testing.assert_close(states, expected, atol=2e-5, rtol=2e-5)
    torch.testing.assert_close(ours.eval()(**inputs).last_hidden_state, states, atol=2e-5, rtol=2e-5)
    weights = torch.linspace(-1, 1, states.numel()).sin().view_as(states) / pieces
    assert_same_gradients(ours, theirs, (states * weights).sum(), (expected * weights).sum())
