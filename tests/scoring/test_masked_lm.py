"""How well masked pieces are guessed."""

import math

import numpy as np
import torch

from spacy_bigbird.scoring.masked_lm import score_guesses, sums_by_range


def test_costs_are_in_nats_and_right_is_what_has_the_highest_score():
    # Probabilities 1/2, 1/4, 1/4 and 1/8, 3/4, 1/8.
    logits = torch.tensor([[2.0, 1.0, 1.0], [1.0, 6.0, 1.0]]).log().requires_grad_()
    nats, is_right = score_guesses(logits, torch.tensor([0, 2]))
    torch.testing.assert_close(nats, torch.tensor([math.log(2), math.log(8)]))
    assert is_right.tolist() == [True, False]
    nats.sum().backward()
    torch.testing.assert_close(logits.grad, torch.tensor([[-0.5, 0.25, 0.25], [0.125, 0.75, -0.875]]))


def test_half_precision_is_scored_in_full():
    logits = torch.tensor([[100.0, 100.5, 0.0]], dtype=torch.bfloat16)
    nats, is_right = score_guesses(logits, torch.tensor([1]))
    assert nats.dtype == torch.float32 and is_right.tolist() == [True]
    torch.testing.assert_close(nats, torch.tensor([math.log1p(math.exp(-0.5))]))


def test_sums_belong_to_the_range_of_their_position():
    places, nats = np.array([0, 3, 4, 9, 99]), np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    sums = sums_by_range([0, 4, 10, 50, 99], places, [nats, np.ones(5), nats > 3])
    assert sums.tolist() == [[3.0, 2.0, 0.0], [12.0, 2.0, 2.0], [0.0] * 3, [0.0] * 3, [16.0, 1.0, 1.0]]
    assert sums_by_range([0, 4], places[:0], [nats[:0]]).tolist() == [[0.0], [0.0]]
