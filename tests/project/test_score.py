"""Bits per character of masked pieces, with near and far context."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from project.models.recipes import score
from spacy_bigbird.model import BigBirdConfig, BigBirdForMaskedLM
from spacy_bigbird.pretraining.masking import MaskedPieces, PieceTable
from spacy_bigbird.tokenizer import BigBirdTokenizer


@given(st.integers(1, 3000), st.integers(2, 300).map(lambda half: 2 * half))
def test_windows_count_every_piece_once(length, window):
    counted: list[int] = []
    for start, end, first, last in score.windows(length, window):
        assert start <= first < last <= end <= length
        assert end - start == min(length, window)
        counted += range(first, last)
    assert counted == list(range(length))


def test_pieces_in_the_middle_have_context_on_both_sides():
    for start, end, first, last in score.windows(4096)[1:-1]:
        assert first - start == 128 and end - last == 128


@pytest.fixture(scope="module")
def masked(vocab_file):
    tokenizer = BigBirdTokenizer(vocab_file)
    torch.manual_seed(0)
    config = BigBirdConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=256,
        hidden_dropout_prob=0.0,
    )
    table = PieceTable.of(tokenizer)
    generator = np.random.default_rng(0)
    labels = generator.choice(table.ordinary_ids, size=200)
    places = np.array([3, 10, 64, 100, 150, 199])
    hidden = labels.copy()
    hidden[places] = table.mask_id
    return BigBirdForMaskedLM(config).eval(), table, MaskedPieces(hidden, places, labels[places])


def test_bits_per_character_are_those_of_a_direct_computation(masked):
    model, table, document = masked
    with torch.no_grad():
        logits = model(input_ids=torch.from_numpy(document.ids)[None]).logits[0]
    probabilities = torch.log_softmax(logits.double(), -1)
    wanted = [
        -probabilities[place, label].item() for place, label in zip(document.places, document.labels, strict=True)
    ]
    losses = score.nats(model, document, None)
    assert losses == pytest.approx(wanted, abs=1e-4)
    sums = score.bits_and_characters(losses, document.places, document.labels, table, (0, 64, 128, 256))
    in_range = [(0, 2), (2, 4), (4, 6)]
    for row, (first, last) in zip(sums, in_range, strict=True):
        assert row[0] == pytest.approx(sum(wanted[first:last]) / math.log(2), abs=1e-3)
        assert row[1] == sum(table.characters[document.labels[first:last]])


def test_near_context_sees_the_window_alone(masked):
    model, _, document = masked
    near = score.nats(model, document, 64)
    parts = score.windows(len(document.ids), 64)
    for index, place in enumerate(document.places):
        (start, end) = next((start, end) for start, end, first, last in parts if first <= place < last)
        inside = MaskedPieces(document.ids[start:end], np.array([place - start]), document.labels[index : index + 1])
        assert near[index] == pytest.approx(score.nats(model, inside, None)[0], abs=1e-4)


def test_results_of_an_evaluation_are_paired(masked):
    model, table, document = masked
    found = score.evaluate(model, [document, document], table)
    assert found["documents"] == 2 and found["masked_pieces"] == 12
    # The sequence is shorter than a window: both ways see the same.
    assert found["all"]["gain"] == {"score": 0.0, "low": 0.0, "high": 0.0}
    assert found["by_position"][0]["far"] == found["all"]["far"]
