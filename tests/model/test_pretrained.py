"""Checkpoints in and out of a model, against transformers as the other reader and writer."""

import json
import warnings
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import nn

from spacy_bigbird import model as models
from spacy_bigbird.model import (
    BigBirdConfig,
    BigBirdForMaskedLM,
    BigBirdForPreTraining,
    BigBirdForTokenClassification,
    BigBirdModel,
)

SIZES = {
    "vocab_size": 40,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 32,
    "block_size": 4,
    "attention_type": "original_full",
}
# 28 pieces are dense in huggingface mode, so 29 are sparse.
SPARSE = {"attention_type": "block_sparse", "num_random_blocks": 1, "random_pattern": "huggingface"}
CONFIG = BigBirdConfig(**SIZES)
QUERY, VALUE = (f"encoder.layer.1.attention.self.{part}.weight" for part in ("query", "value"))
CLASSES = [name for name in models.__all__ if name.startswith("BigBird") and name != "BigBirdConfig"]


def randomized(model: nn.Module, seed: int = 0) -> nn.Module:
    """The model with every parameter drawn anew, also the biases that initialisation sets to zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return model


def assert_same_weights(one: nn.Module, other: nn.Module) -> None:
    left, right = one.state_dict(), other.state_dict()
    assert left.keys() == right.keys()
    for name, tensor in left.items():
        assert torch.equal(tensor, right[name]), name


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


def edit_weights(folder, change) -> None:
    """Apply a function to the dictionary of tensors in a folder's model.safetensors."""
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


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


def test_a_head_of_another_size_is_new_and_reported(tmp_path):
    model = randomized(BigBirdForTokenClassification(CONFIG))
    model.save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match=r"of another shape: classifier\.weight \(file: \(2, 8\), model: \(5, 8\)\)"):
        loaded = BigBirdForTokenClassification.from_pretrained(tmp_path, num_labels=5)
    assert [name for name, _, _ in loaded.load_report.mismatched] == ["classifier.weight", "classifier.bias"]
    assert_same_weights(loaded.bigbird, model.bigbird)
    assert 0 < loaded.classifier.weight.std() < 0.1


@pytest.mark.parametrize(
    "changes, name",
    [
        ({"max_position_embeddings": 64}, "embeddings.position_embeddings.weight"),
        ({"hidden_size": 16}, "attention.self.query.weight"),
        ({"num_hidden_layers": 3}, "encoder.layer.2.attention.self.query.weight"),
    ],
)
def test_an_encoder_that_does_not_fit_is_an_error(changes, name, tmp_path):
    BigBirdForTokenClassification(CONFIG).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=rf"(?s)BB057.*{name}.*config\.json.*warm_start"):
        BigBirdForTokenClassification.from_pretrained(tmp_path, **changes)


def test_layers_are_not_dropped_in_silence(tmp_path):
    BigBirdModel(CONFIG).save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match=r"unexpected: encoder\.layer\.1\..* and 4 more"):
        BigBirdModel.from_pretrained(tmp_path, num_hidden_layers=1)


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


def test_a_failed_load_changes_nothing(tmp_path):
    model = randomized(BigBirdModel(CONFIG))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(ValueError, match="BB057"):
        model.load_huggingface_tensors({"embeddings.LayerNorm.bias": torch.ones(8)}, "somewhere")
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_one_missing_part_of_a_fused_weight_is_named(tmp_path):
    BigBirdModel(CONFIG).save_pretrained(tmp_path)
    edit_weights(tmp_path, lambda tensors: tensors.pop("encoder.layer.1.attention.self.key.weight"))
    with pytest.raises(ValueError, match=r"missing: encoder\.layer\.1\.attention\.self\.key\.weight\n"):
        BigBirdModel.from_pretrained(tmp_path)


def test_unknown_weights_are_reported(tmp_path):
    BigBirdModel(CONFIG).save_pretrained(tmp_path)
    edit_weights(tmp_path, lambda tensors: tensors.update({"adapter.weight": torch.ones(1)}))
    with pytest.warns(UserWarning, match=r"unexpected: adapter\.weight"):
        BigBirdModel.from_pretrained(tmp_path)


def test_a_decoder_that_differs_from_the_tied_word_embeddings_is_reported(tmp_path):
    untied = randomized(BigBirdForMaskedLM(CONFIG.replace(tie_word_embeddings=False)))
    untied.save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match=r"not tied in the file: cls\.predictions\.decoder\.weight"):
        tied = BigBirdForMaskedLM.from_pretrained(tmp_path, tie_word_embeddings=True)
    assert tied.load_report.untied
    assert torch.equal(tied.lm_head.decoder.weight, untied.bigbird.embeddings.word_embeddings.weight)


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


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    config = transformers.BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, vocab_size=10)
    transformers.BertModel(config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"BB053.*config\.json: model_type is 'bert'.*warm_start"):
        BigBirdModel.from_pretrained(tmp_path)


def test_parts_of_other_shapes_are_named_even_where_their_sum_would_fit(tmp_path):
    def cut_elsewhere(tensors):
        tensors[QUERY], tensors[VALUE] = torch.ones(4, 8), torch.ones(12, 8)

    BigBirdModel(CONFIG).save_pretrained(tmp_path)
    edit_weights(tmp_path, cut_elsewhere)
    with pytest.raises(ValueError, match=rf"{QUERY} \(file: \(4, 8\), model: \(8, 8\)\), {VALUE} \(file: \(12, 8\)"):
        BigBirdModel.from_pretrained(tmp_path)
    edit_weights(tmp_path, lambda tensors: tensors.update({QUERY: torch.tensor(1.0)}))
    with pytest.raises(ValueError, match=rf"{QUERY} \(file: \(\), model: \(8, 8\)\)"):
        BigBirdModel.from_pretrained(tmp_path)


def test_half_a_fused_weight_of_a_layer_that_is_not_there_is_unexpected(tmp_path):
    BigBirdModel(CONFIG).save_pretrained(tmp_path)
    edit_weights(tmp_path, lambda tensors: tensors.update({QUERY.replace(".1.", ".7."): torch.ones(8, 8)}))
    with pytest.warns(UserWarning, match=r"unexpected: encoder\.layer\.7\.attention\.self\.query\.weight$"):
        BigBirdModel.from_pretrained(tmp_path)


@pytest.mark.parametrize("dtype", [torch.int64, torch.int8, torch.complex64])
def test_weights_that_are_no_floating_point_numbers_are_refused(dtype, tmp_path):
    BigBirdModel(CONFIG).save_pretrained(tmp_path)
    name = "embeddings.word_embeddings.weight"
    edit_weights(tmp_path, lambda tensors: tensors.update({name: tensors[name].to(dtype)}))
    with pytest.raises(ValueError, match=rf"BB062.*{name} holds {str(dtype).removeprefix('torch.')}"):
        BigBirdModel.from_pretrained(tmp_path)


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
