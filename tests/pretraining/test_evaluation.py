"""Held-out scores against sums computed one piece at a time."""

import math

import numpy as np
import pytest
import torch

from spacy_bigbird.model import BigBirdConfig, BigBirdForMaskedLM
from spacy_bigbird.pretraining.evaluation import Evaluator, held_out_samples
from spacy_bigbird.pretraining.masking import PieceTable
from spacy_bigbird.pretraining.objective import PretrainingObjective
from spacy_bigbird.pretraining.processes import Processes
from spacy_bigbird.tokenizer import BigBirdTokenizer

from ..toy_text import toy_texts
from .toy_run import TOY_MODEL, toy_settings

LONG = [" ".join(toy_texts(8, 12)), *toy_texts(4, 6)]


@pytest.fixture
def tokenizer(vocab_file) -> BigBirdTokenizer:
    return BigBirdTokenizer(vocab_file, map_whitespace=True)


def settings_of(vocab_file, **training):
    longest = {"lengths": [[0, 32], [1, 1100]], "batch_pieces": 2200, "micro_batch_pieces": 700, **training}
    return toy_settings("texts", vocab_file, paths={"dev": "held-out"}, training=longest)


def samples_of(settings, tokenizer, texts=LONG):
    return held_out_samples(iter(texts), tokenizer, PieceTable.of(tokenizer), settings)


def test_a_document_begins_a_sequence_and_the_seed_changes_nothing(vocab_file, tokenizer):
    samples = samples_of(settings_of(vocab_file), tokenizer)
    again = samples_of(settings_of(vocab_file, seed=5), tokenizer)
    for one, other in zip(samples, again, strict=True):
        assert np.array_equal(one.pieces.ids, other.pieces.ids)
    expected = []
    for ids in tokenizer.text_ids(LONG):
        expected += [min(1098, len(ids) - start) + 2 for start in range(0, len(ids), 1098)]
    assert [len(sample) for sample in samples] == expected


def test_no_more_texts_are_read_than_needed(vocab_file, tokenizer):
    settings = settings_of(vocab_file)
    settings = settings.model_copy(update={"report": settings.report.model_copy(update={"evaluate_sequences": 5})})
    read = 0

    def texts():
        nonlocal read
        for text in toy_texts(200, 1):
            read += 1
            yield text

    assert len(samples_of(settings, tokenizer, texts())) == 5
    assert read < 40


def test_no_held_out_text(vocab_file, tokenizer):
    with pytest.raises(ValueError, match=r"BB351.*held-out has no text for the evaluation"):
        samples_of(settings_of(vocab_file), tokenizer, [])


def test_scores_are_those_of_one_piece_at_a_time(vocab_file, tokenizer):
    settings = settings_of(vocab_file)
    samples, table = samples_of(settings, tokenizer), PieceTable.of(tokenizer)
    torch.manual_seed(0)
    config = BigBirdConfig(**{**TOY_MODEL, "max_position_embeddings": 1100, "vocab_size": tokenizer.vocab_size})
    objective = PretrainingObjective(BigBirdForMaskedLM(config)).train()
    found = Evaluator(samples, table, settings, Processes("cpu"))(objective)
    assert objective.training
    objective.eval()
    nats, characters, right, pieces = 0.0, 0, 0, 0
    by_range: dict[str, list[float]] = {"0": [0.0, 0.0], "512": [0.0, 0.0], "1024": [0.0, 0.0]}
    for sample in samples:
        with torch.no_grad():
            logits = objective.model(torch.from_numpy(sample.pieces.ids).long()[None]).logits[0]
        for place, label in zip(sample.pieces.places.tolist(), sample.pieces.labels.tolist(), strict=True):
            loss = float(torch.nn.functional.cross_entropy(logits[place], torch.tensor(label)))
            spelled = len(tokenizer.convert_ids_to_tokens(label))
            nats, characters, pieces = nats + loss, characters + spelled, pieces + 1
            right += int(logits[place].argmax() == label)
            sums = by_range["0" if place < 512 else "512" if place < 1024 else "1024"]
            sums[0], sums[1] = sums[0] + loss, sums[1] + spelled
    assert found["loss"] == pytest.approx(nats / pieces, abs=1e-4)
    assert found["perplexity"] == pytest.approx(math.exp(nats / pieces), rel=1e-3)
    assert found["bits_per_character"] == pytest.approx(nats / math.log(2) / characters, abs=1e-4)
    assert found["masked_accuracy"] == pytest.approx(right / pieces)
    expected = {name: loss / math.log(2) / spelled for name, (loss, spelled) in by_range.items() if spelled}
    assert found["bits_per_character_by_position"] == pytest.approx(expected, abs=1e-3)
    assert "next_sentence_loss" not in found


def test_bfloat16_gives_nearly_the_same(vocab_file, tokenizer):
    settings = settings_of(vocab_file)
    mixed = settings_of(vocab_file, mixed_precision=True)
    samples, table = samples_of(settings, tokenizer)[:3], PieceTable.of(tokenizer)
    torch.manual_seed(0)
    config = BigBirdConfig(**{**TOY_MODEL, "max_position_embeddings": 1100, "vocab_size": tokenizer.vocab_size})
    objective = PretrainingObjective(BigBirdForMaskedLM(config))
    both = [Evaluator(samples, table, how, Processes("cpu"))(objective)["loss"] for how in (settings, mixed)]
    assert both[0] != both[1] and both[0] == pytest.approx(both[1], abs=0.05)
