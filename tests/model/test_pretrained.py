"""Checkpoints in and out of a model, against transformers as the other reader and writer."""

import json
import warnings
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file
from torch import nn

from spacy_bigbird import model as models
from spacy_bigbird.model import (
    BigBirdForMaskedLM,
    BigBirdForPreTraining,
    BigBirdForTokenClassification,
    BigBirdModel,
)

from .stored_models import CONFIG, SIZES, assert_same_weights, randomized

# 28 pieces are dense in huggingface mode, so 29 are sparse.
SPARSE = {"attention_type": "block_sparse", "num_random_blocks": 1, "random_pattern": "huggingface"}
CLASSES = [name for name in models.__all__ if name.startswith("BigBird") and name != "BigBirdConfig"]


def hf_model(name: str, **changes):
    """A transformers model with random weights."""
    config = transformers.BigBirdConfig(**{**SIZES, **changes})
    return randomized(getattr(transformers, name)(config)).eval()


def assert_computes_alike(ours: BigBirdModel, theirs: nn.Module, length: int = 29) -> None:
    ids = torch.randint(3, SIZES["vocab_size"], (2, length), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, 19:] = 0
    with torch.no_grad():
        one, other = ours(ids, attention_mask=mask), theirs(ids, attention_mask=mask)
    real = mask.bool()
    torch.testing.assert_close(one.last_hidden_state[real], other.last_hidden_state[real], atol=2e-5, rtol=0)
    torch.testing.assert_close(one.pooler_output, other.pooler_output, atol=2e-5, rtol=0)


def silently(function, *arguments, **keywords):
    """Call and fail at any warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return function(*arguments, **keywords)


@pytest.mark.parametrize("changes", [{}, {"use_bias": False}, {"tie_word_embeddings": False}], ids=str)
def test_round_trip_keeps_every_weight_and_the_configuration(changes, tmp_path):
    model = randomized(BigBirdForMaskedLM(CONFIG.replace(**changes, extra={"my_own_key": [1, 2]})))
    model.save_pretrained(tmp_path / "new" / "folder")
    loaded = silently(BigBirdForMaskedLM.from_pretrained, tmp_path / "new" / "folder")
    assert_same_weights(model, loaded)
    written = {"architectures": ["BigBirdForMaskedLM"], "torch_dtype": "float32", "my_own_key": [1, 2]}
    assert loaded.config == model.config.replace(extra=written)
    tied = loaded.lm_head.decoder.weight is loaded.bigbird.embeddings.word_embeddings.weight
    assert tied == loaded.config.tie_word_embeddings
    assert not loaded.training
    assert str(loaded.load_report).endswith("every weight found its place")
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == ["config.json", "model.safetensors"]


@pytest.mark.parametrize("changes", [{}, SPARSE, {"use_bias": False}], ids=["dense", "sparse", "no bias"])
def test_transformers_loads_what_we_save_and_computes_alike(changes, tmp_path):
    model = randomized(BigBirdModel(CONFIG.replace(**changes))).eval()
    model.save_pretrained(tmp_path)
    theirs, info = transformers.BigBirdModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values()), info
    assert_computes_alike(model, theirs.eval())


@pytest.mark.parametrize("tie_word_embeddings", [True, False])
def test_transformers_loads_our_masked_language_model(tie_word_embeddings, tmp_path):
    model = randomized(BigBirdForMaskedLM(CONFIG.replace(tie_word_embeddings=tie_word_embeddings)))
    model.save_pretrained(tmp_path)
    theirs, info = transformers.BigBirdForMaskedLM.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values()), info
    assert torch.equal(theirs.cls.predictions.decoder.weight, model.lm_head.decoder.weight)
    assert torch.equal(theirs.cls.predictions.decoder.bias, model.lm_head.bias)
    names = load_file(tmp_path / "model.safetensors").keys()
    assert ("cls.predictions.decoder.weight" in names) != tie_word_embeddings


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_goes_to_transformers_and_comes_back(name, tmp_path):
    changes = {"is_decoder": True, "add_cross_attention": True} if name == "BigBirdForCausalLM" else {}
    ours = randomized(getattr(models, name)(CONFIG.replace(**changes)))
    ours.save_pretrained(tmp_path / "ours")
    theirs, info = getattr(transformers, name).from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(info.values()), info
    assert json.loads((tmp_path / "ours" / "config.json").read_text())["architectures"] == [name]
    theirs.save_pretrained(tmp_path / "theirs")
    mine, back = (
        load_file(tmp_path / "ours" / "model.safetensors"),
        load_file(tmp_path / "theirs" / "model.safetensors"),
    )
    assert mine.keys() == back.keys()
    assert all(torch.equal(tensor, back[key]) for key, tensor in mine.items())
    assert_same_weights(silently(getattr(models, name).from_pretrained, tmp_path / "theirs"), ours)


@pytest.mark.parametrize("changes", [{}, SPARSE], ids=["dense", "sparse"])
@pytest.mark.parametrize("max_shard_size", ["1GB", "2KB"])
@pytest.mark.parametrize("safe_serialization", [True, False])
def test_we_load_what_transformers_saves_and_compute_alike(changes, safe_serialization, max_shard_size, tmp_path):
    theirs = hf_model("BigBirdModel", **{key: value for key, value in changes.items() if key != "random_pattern"})
    theirs.save_pretrained(tmp_path, safe_serialization=safe_serialization, max_shard_size=max_shard_size)
    pattern = {"random_pattern": "huggingface"} if changes else {}
    ours = silently(BigBirdModel.from_pretrained, tmp_path, **pattern)
    assert_computes_alike(ours, theirs)


@pytest.mark.parametrize("safe_serialization", [True, False])
def test_tied_weights_of_transformers_stay_tied(safe_serialization, tmp_path):
    theirs = hf_model("BigBirdForMaskedLM")
    theirs.save_pretrained(tmp_path, safe_serialization=safe_serialization)
    ours = silently(BigBirdForMaskedLM.from_pretrained, tmp_path)
    assert ours.lm_head.decoder.weight is ours.bigbird.embeddings.word_embeddings.weight
    assert torch.equal(ours.lm_head.decoder.weight, theirs.cls.predictions.decoder.weight)
    assert torch.equal(ours.lm_head.bias, theirs.cls.predictions.bias)


def test_an_encoder_alone_loads_into_a_model_with_a_head(tmp_path):
    encoder = randomized(BigBirdModel(CONFIG))
    encoder.save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match=r"(?s)BW050.*missing: classifier\.weight, classifier\.bias") as caught:
        model = BigBirdForTokenClassification.from_pretrained(tmp_path)
    assert len(caught) == 1
    assert model.load_report.missing == ("classifier.weight", "classifier.bias")
    assert_same_weights(model.bigbird, encoder)


def test_new_weights_are_those_of_a_new_model(tmp_path):
    BigBirdModel(CONFIG).save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match=r"BW050"):
        model = BigBirdForMaskedLM.from_pretrained(tmp_path)
    head = model.lm_head
    assert 0.01 < head.dense.weight.std() < 0.03
    assert torch.equal(head.layer_norm.weight, torch.ones(8))
    assert not any(bias.any() for bias in (head.bias, head.dense.bias, head.layer_norm.bias))
    assert head.decoder.weight is model.bigbird.embeddings.word_embeddings.weight
    with pytest.warns(UserWarning, match=r"BW050"):
        decoder = BigBirdModel.from_pretrained(tmp_path, is_decoder=True, add_cross_attention=True)
    assert len(decoder.load_report.missing) == 2 * 10
    cross_attention = decoder.encoder.layers[1].cross_attention
    assert 0.01 < cross_attention.key_value.weight.std() < 0.03
    assert not cross_attention.key_value.bias.any()


def test_a_complete_checkpoint_draws_no_random_numbers(tmp_path):
    BigBirdForMaskedLM(CONFIG).save_pretrained(tmp_path)
    before = torch.get_rng_state()
    BigBirdForMaskedLM.from_pretrained(tmp_path)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_model_with_a_head_loads_into_the_encoder_without_a_word(tmp_path):
    model = randomized(BigBirdForTokenClassification(CONFIG))
    model.save_pretrained(tmp_path)
    encoder = silently(BigBirdModel.from_pretrained, tmp_path)
    assert set(encoder.load_report.unexpected) == {"classifier.weight", "classifier.bias"}
    assert_same_weights(encoder, model.bigbird)


def test_arguments_of_the_constructor_pass_through(tmp_path):
    BigBirdModel(CONFIG, add_pooling_layer=False).save_pretrained(tmp_path)
    assert silently(BigBirdModel.from_pretrained, tmp_path, add_pooling_layer=False).pooler is None
    with pytest.warns(UserWarning, match=r"missing: pooler\.weight, pooler\.bias"):
        BigBirdModel.from_pretrained(tmp_path)


def test_overrides_change_the_configuration(tmp_path):
    BigBirdModel(CONFIG).save_pretrained(tmp_path)
    model = BigBirdModel.from_pretrained(tmp_path, random_pattern="none", hidden_dropout_prob=0.0)
    assert model.config.replace(extra={}) == CONFIG.replace(random_pattern="none", hidden_dropout_prob=0.0)
    with pytest.raises(TypeError, match=r"BB058.*random_patern.*a field of BigBirdConfig, add_pooling_layer"):
        BigBirdModel.from_pretrained(tmp_path, random_patern="none")
    with pytest.raises(ValueError, match=r"BB001.*random_pattern"):
        BigBirdModel.from_pretrained(tmp_path, random_pattern="some")


def test_weights_can_be_replaced_in_a_model_that_was_used(tmp_path):
    other = randomized(BigBirdModel(CONFIG), seed=1).eval()
    other.save_pretrained(tmp_path)
    model = randomized(BigBirdModel(CONFIG), seed=2).eval()
    ids = torch.arange(3, 35)[None].repeat(2, 1)
    with torch.no_grad():
        model(ids)
        model.load_huggingface_tensors(load_file(tmp_path / "model.safetensors"), "a dictionary")
        torch.testing.assert_close(model(ids).last_hidden_state, other(ids).last_hidden_state, atol=1e-6, rtol=0)
    assert model.load_report.source == "a dictionary"


def test_untying_starts_from_the_word_embeddings(tmp_path):
    tied = randomized(BigBirdForMaskedLM(CONFIG))
    tied.save_pretrained(tmp_path)
    untied = silently(BigBirdForMaskedLM.from_pretrained, tmp_path, tie_word_embeddings=False)
    words = untied.bigbird.embeddings.word_embeddings.weight
    assert untied.lm_head.decoder.weight is not words
    assert torch.equal(untied.lm_head.decoder.weight, words)


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_are_float32_unless_asked_otherwise(stored, tmp_path):
    model = randomized(BigBirdForMaskedLM(CONFIG)).to(stored)
    model.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["torch_dtype"] == str(stored).removeprefix("torch.")
    loaded = BigBirdForMaskedLM.from_pretrained(tmp_path)
    assert {weight.dtype for weight in loaded.parameters()} == {torch.float32}
    kept = BigBirdForMaskedLM.from_pretrained(tmp_path, dtype=stored)
    assert {weight.dtype for weight in kept.parameters()} == {stored}
    assert kept.lm_head.decoder.weight is kept.bigbird.embeddings.word_embeddings.weight
    assert_same_weights(kept, model)
    assert_same_weights(loaded, model.float())


@pytest.mark.parametrize("name", ["flax_float32", "flax_bfloat16"])
def test_flax_checkpoints_load_and_compute_what_flax_did(name):
    folder = Path(__file__).parents[1] / "checkpoint" / "fixtures" / name
    model = silently(BigBirdForPreTraining.from_pretrained, folder)
    expected = json.loads((folder / "expected.json").read_text())
    inputs = {key: torch.tensor(value) for key, value in expected["inputs"].items()}
    outputs = {key: torch.tensor(value) for key, value in expected["outputs"].items()}
    with torch.no_grad():
        found = model(**inputs)
    real = inputs["attention_mask"].bool()
    torch.testing.assert_close(found.prediction_logits[real], outputs["prediction_logits"][real], atol=2e-5, rtol=0)
    torch.testing.assert_close(found.seq_relationship_logits, outputs["seq_relationship_logits"], atol=2e-5, rtol=0)


def test_the_type_of_weights_by_name_and_what_is_none(tmp_path):
    BigBirdModel(CONFIG).save_pretrained(tmp_path)
    assert BigBirdModel.from_pretrained(tmp_path, dtype="bfloat16").pooler.weight.dtype == torch.bfloat16
    for wrong in ("auto", "int8", torch.int8, 16):
        with pytest.raises(ValueError, match=r"dtype: got .*, expected torch\.float32"):
            BigBirdModel.from_pretrained(tmp_path, dtype=wrong)
    with pytest.raises(TypeError, match=r"unknown argument torch_dtype.*dtype"):
        BigBirdModel.from_pretrained(tmp_path, torch_dtype="bfloat16")


@pytest.mark.parametrize("name", CLASSES)
def test_one_switch_turns_gradient_checkpointing_on_in_every_class(name):
    model = getattr(models, name)(CONFIG)
    assert model.gradient_checkpointing is False
    model.gradient_checkpointing = True
    base = model if name == "BigBirdModel" else model.bigbird
    assert base.gradient_checkpointing is True and model.gradient_checkpointing is True
