"""The loss against the models' own, the optimizer's groups, the schedule, and what a run refuses to start with."""

import numpy as np
import pytest
import torch

from spacy_bigbird.model import BigBirdConfig, BigBirdForMaskedLM, BigBirdForPreTraining
from spacy_bigbird.pretraining.batches import Batch
from spacy_bigbird.pretraining.masking import MaskingSettings, generator_of, mask_pieces
from spacy_bigbird.pretraining.objective import (
    PretrainingObjective,
)
from spacy_bigbird.pretraining.sequences import Sample
from spacy_bigbird.thinc_layers.grouping import group_by_size

from .test_masking import CLS, FIRST_ORDINARY, SEP, TABLE, VOCAB_SIZE
from .toy_run import NO_DROPOUT, TOY_MODEL

CPU = torch.device("cpu")


def samples_of(*lengths: int) -> list[Sample]:
    """Pairs of random pieces; the first text takes a third."""
    samples = []
    for number, length in enumerate(lengths):
        ids = np.random.default_rng(number).integers(FIRST_ORDINARY, VOCAB_SIZE, length).astype(np.int32)
        ids[[0, length // 3 - 1, -1]] = CLS, SEP, SEP
        masked = mask_pieces(ids, TABLE, MaskingSettings(), generator_of(number))
        samples.append(Sample(masked, length // 3, number % 2))
    return samples


def padded(samples: list[Sample]) -> dict[str, torch.Tensor]:
    shape = (len(samples), max(map(len, samples)))
    batch = {name: torch.zeros(shape, dtype=torch.long) for name in ("input_ids", "token_type_ids", "attention_mask")}
    batch["labels"] = torch.full(shape, -100)
    for row, sample in enumerate(samples):
        length = len(sample)
        batch["input_ids"][row, :length] = torch.from_numpy(sample.pieces.ids).long()
        batch["token_type_ids"][row, sample.first_length : length] = 1
        batch["attention_mask"][row, :length] = 1
        batch["labels"][row, sample.pieces.places] = torch.from_numpy(sample.pieces.labels).long()
    return batch


@pytest.mark.parametrize("model_type", [BigBirdForMaskedLM, BigBirdForPreTraining])
def test_losses_and_gradients_are_those_of_the_padded_model(model_type):
    torch.manual_seed(0)
    model = model_type(BigBirdConfig(**TOY_MODEL, **NO_DROPOUT, vocab_size=VOCAB_SIZE))
    has_pairs = model_type is BigBirdForPreTraining
    samples = samples_of(100, 31, 128, 9)
    given = padded(samples)
    if has_pairs:
        given["next_sentence_label"] = torch.tensor([sample.is_random_next for sample in samples])
    else:
        del given["token_type_ids"]
    expected = model(**given).loss
    expected.backward()
    gradients = {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}
    model.zero_grad()
    objective = PretrainingObjective(model)
    assert objective.has_pairs == has_pairs
    masked = sum(len(sample.pieces.places) for sample in samples)
    found = 0.0
    for part in group_by_size(samples, len, 130):
        sums = objective(Batch.of(part, CPU, has_pairs))
        loss = sums[0] / masked + sums[2] / len(samples)
        loss.backward()
        found += loss.item()
    assert found == pytest.approx(expected.item(), abs=1e-5)
    weights = dict(model.named_parameters())
    for name, gradient in gradients.items():
        torch.testing.assert_close(weights[name].grad, gradient, atol=1e-5, rtol=1e-4)


def test_right_guesses_are_counted():
    torch.manual_seed(0)
    model = BigBirdForPreTraining(BigBirdConfig(**TOY_MODEL, vocab_size=VOCAB_SIZE)).eval()
    samples = samples_of(64, 90)
    with torch.no_grad():
        guesses = PretrainingObjective(model).guesses(Batch.of(samples, CPU, True))
        logits = model(**{name: value for name, value in padded(samples).items() if name != "labels"})
    labels = padded(samples)["labels"]
    right = (logits.prediction_logits.argmax(-1) == labels)[labels != -100]
    assert guesses.is_right.tolist() == right.tolist()
    pairs = torch.tensor([sample.is_random_next for sample in samples])
    assert guesses.pair_is_right.tolist() == (logits.seq_relationship_logits.argmax(-1) == pairs).tolist()
    assert guesses.sums()[1] == right.sum() and guesses.sums()[2] == guesses.pair_losses.sum()
