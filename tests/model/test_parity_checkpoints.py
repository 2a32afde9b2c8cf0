"""What we save, transformers loads and computes alike; what transformers saves, we load."""

import warnings

import pytest
import torch
import transformers

import spacy_bigbird.model

from .parity import assert_same_outputs, make_ids, make_mask, make_pair

MODELS = {
    "BigBirdModel": {},
    "BigBirdForPreTraining": {},
    "BigBirdForMaskedLM": {"tie_word_embeddings": False},
    "BigBirdForCausalLM": {"is_decoder": True, "attention_type": "original_full", "add_cross_attention": True},
    "BigBirdForSequenceClassification": {"num_labels": 3, "problem_type": "multi_label_classification"},
    "BigBirdForMultipleChoice": {"use_bias": False},
    "BigBirdForTokenClassification": {"id2label": {0: "O", 1: "B-PER", 2: "I-PER"}},
    "BigBirdForQuestionAnswering": {},
}


def make_inputs(name):
    inputs = {"input_ids": make_ids(2, 41), "attention_mask": make_mask([41, 33], 41)}
    return {key: value[:, None] for key, value in inputs.items()} if name == "BigBirdForMultipleChoice" else inputs


@pytest.mark.parametrize("name", MODELS)
def test_transformers_reads_what_we_save(name, tmp_path):
    ours, _ = make_pair(name, **MODELS[name])
    ours.save_pretrained(tmp_path)
    theirs, info = getattr(transformers, name).from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"]
    assert theirs.config.id2label == ours.config.id2label
    assert_same_outputs(ours, theirs.eval(), **make_inputs(name))


@pytest.mark.parametrize("name", MODELS)
def test_we_read_what_transformers_saves(name, tmp_path):
    _, theirs = make_pair(name, **MODELS[name])
    theirs.save_pretrained(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = getattr(spacy_bigbird.model, name).from_pretrained(tmp_path, random_pattern="huggingface")
    assert_same_outputs(ours, theirs, **make_inputs(name))


def test_round_trip_of_ours_changes_nothing(tmp_path):
    for name, changes in MODELS.items():
        ours, _ = make_pair(name, **changes)
        ours.save_pretrained(tmp_path / name)
        again = getattr(spacy_bigbird.model, name).from_pretrained(tmp_path / name)
        for (one_name, one), (other_name, other) in zip(
            ours.state_dict().items(), again.state_dict().items(), strict=True
        ):
            assert one_name == other_name and torch.equal(one, other)
