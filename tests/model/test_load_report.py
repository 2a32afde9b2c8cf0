"""What a checkpoint lacks, or has too much of, is reported or refused."""

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from spacy_bigbird.model import (
    BigBirdForMaskedLM,
    BigBirdForTokenClassification,
    BigBirdModel,
)

from .stored_models import CONFIG, assert_same_weights, randomized

QUERY, VALUE = (f"encoder.layer.1.attention.self.{part}.weight" for part in ("query", "value"))


def edit_weights(folder, change) -> None:
    """Apply a function to the dictionary of tensors in a folder's model.safetensors."""
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


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
