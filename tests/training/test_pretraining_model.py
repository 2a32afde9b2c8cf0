"""The loss against the models' own, the optimizer's groups, the schedule, and what a run refuses to start with."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from spacy_bigbird.model import BigBirdConfig, BigBirdForMaskedLM, BigBirdForPreTraining
from spacy_bigbird.tokenizer import BigBirdTokenizer
from spacy_bigbird.training.batch_loader import Batch, micro_batches
from spacy_bigbird.training.masking import MaskingSettings, generator_of, mask_pieces
from spacy_bigbird.training.pretraining_model import (
    PretrainingObjective,
    build_model,
    build_optimizer,
    learning_rate,
    load_tokenizer,
)
from spacy_bigbird.training.sequences import Sample

from .test_masking import CLS, FIRST_ORDINARY, SEP, TABLE, VOCAB_SIZE
from .toy_run import NO_DROPOUT, TOY_MODEL, toy_settings

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
    for part in micro_batches(samples, 130):
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


def test_micro_batches_keep_order_and_bounds():
    samples = samples_of(30, 40, 50, 100, 20, 20, 20)
    parts = micro_batches(samples, 90)
    assert [[len(sample) for sample in part] for part in parts] == [[30, 40], [50], [100], [20, 20, 20]]
    assert [sample for part in parts for sample in part] == samples
    assert micro_batches([], 90) == []


def test_biases_and_layer_norms_do_not_decay():
    model = BigBirdForPreTraining(BigBirdConfig(**TOY_MODEL, vocab_size=VOCAB_SIZE))
    model.bigbird.embeddings.position_embeddings.weight.requires_grad_(False)
    settings = toy_settings("texts", "vocab", training={"optimizer": {"weight_decay": 0.3}}).training.optimizer
    decaying, others = build_optimizer(model, settings).param_groups
    names = {id(weight): name for name, weight in model.named_parameters()}
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.3, 0.0)
    assert all(names[id(weight)].endswith("weight") for weight in decaying["params"])
    assert all("norm" in names[id(w)] or names[id(w)].endswith("bias") for w in others["params"])
    assert len(decaying["params"]) + len(others["params"]) == len(names) - 1


@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_the_learning_rate_rises_and_falls(kind):
    training = toy_settings(
        "texts",
        "vocab",
        training={
            "max_steps": 110,
            "optimizer": {"learning_rate": 2.0},
            "schedule": {"kind": kind, "warmup_steps": 10, "final_share": 0.1},
        },
    ).training
    rates = [learning_rate(step, training) for step in range(111)]
    assert rates[0] == pytest.approx(0.2) and rates[9] == rates[10] == 2.0
    assert rates[110] == pytest.approx(0.2)
    assert all(before > after for before, after in pairwise(rates[10:]))
    halfway = 0.2 + 1.8 * (0.5 if kind == "linear" else (1 + math.cos(math.pi / 2)) / 2)
    assert rates[60] == pytest.approx(halfway)
    if kind == "linear":
        assert np.allclose(np.diff(rates[10:]), -1.8 / 100)


def build(vocab_file, **blocks):
    settings = toy_settings("texts", vocab_file, **blocks)
    return build_model(settings, load_tokenizer(settings))


def test_the_seed_decides_the_first_weights(vocab_file):
    first, second, other = (build(vocab_file, training={"seed": seed}).lm_head.dense.weight for seed in (3, 3, 4))
    assert torch.equal(first, second) and not torch.equal(first, other)


def test_white_space_is_mapped(vocab_file):
    tokenizer = load_tokenizer(toy_settings("texts", vocab_file))
    assert tokenizer.text_ids(["a\n\tking"])[0].tolist() == tokenizer.text_ids(["a king"])[0].tolist()


@pytest.mark.parametrize(
    ("blocks", "named"),
    [
        (
            {"model": {"transformer_config": {"hidden_sice": 8}}},
            "has hidden_sice in model.transformer_config. Expected fields",
        ),
        ({"model": {"transformer_config": {"vocab_size": 9}}}, "a model for 9 pieces and a vocabulary of 800"),
        ({"training": {"lengths": [[0, 256]]}}, "up to 256 pieces and max_position_embeddings = 128"),
        ({"model": {"transformer_config": {**TOY_MODEL, "is_decoder": True}}}, "a decoder"),
    ],
)
def test_what_does_not_fit_is_said(vocab_file, blocks, named):
    with pytest.raises(ValueError, match=f"BB352.*{named}"):
        build(vocab_file, **blocks)


def test_a_checkpoint_with_another_vocabulary_is_refused(vocab_file, tmp_path):
    BigBirdForMaskedLM(BigBirdConfig(**TOY_MODEL, vocab_size=500)).save_pretrained(tmp_path)
    BigBirdTokenizer(vocab_file).save_vocabulary(tmp_path)
    with pytest.raises(ValueError, match=r"BB352.*500 pieces and a vocabulary of 800"):
        build(vocab_file, model={"name": str(tmp_path), "transformer_config": {}})


def test_gradient_checkpointing_is_switched_on(vocab_file):
    assert build(vocab_file, model={"gradient_checkpointing": True}).bigbird.gradient_checkpointing
    assert not build(vocab_file).bigbird.gradient_checkpointing
