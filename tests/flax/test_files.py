"""Checkpoints: read and written in the formats of both worlds, and clear errors for what does not fit."""

import json
import subprocess
import sys
from functools import partial

import jax
import numpy as np
import pytest
import torch
from flax.traverse_util import flatten_dict

from spacy_bigbird import flax as flax_models
from spacy_bigbird import model as torch_models

from .pairs import CLASSES, SMALL, assert_equal, make_batch, make_pair


@pytest.mark.parametrize("name", CLASSES)
def test_round_trip_through_both_formats(name, tmp_path):
    ours, _ = make_pair(name, tmp_path / "torch", num_hidden_layers=1)
    # Where no head reads the pooling layer, Flax has it on request only.
    has_pooling_layer = any("pooler" in key for key in ours.state_dict())
    load = partial(getattr(flax_models, f"Flax{name}").from_pretrained, add_pooling_layer=has_pooling_layer)
    theirs = load(tmp_path / "torch")
    theirs.save_pretrained(tmp_path / "flax", msgpack=True)
    again = getattr(torch_models, name).from_pretrained(tmp_path / "flax")
    for (key, weight), (other, expected) in zip(again.state_dict().items(), ours.state_dict().items(), strict=True):
        assert key == other and torch.equal(weight, expected)
    (tmp_path / "flax" / "model.safetensors").unlink()
    from_msgpack = load(tmp_path / "flax")
    assert from_msgpack.load_report.missing == ()
    for leaf, value in flatten_dict(theirs.params).items():
        assert np.array_equal(value, flatten_dict(from_msgpack.params)[leaf]), leaf
    config = json.loads((tmp_path / "flax" / "config.json").read_text(encoding="utf8"))
    assert config["architectures"] == [name] and config["model_type"] == "big_bird"


@pytest.mark.parametrize("name", CLASSES)
def test_names_are_those_of_transformers(name, tmp_path):
    transformers = pytest.importorskip("transformers")
    theirs_class = getattr(transformers, f"Flax{name}", None)
    if theirs_class is None:
        pytest.skip("this version of transformers has no Flax classes (version 5 dropped them)")
    _, ours = make_pair(name, tmp_path, num_hidden_layers=1, attention_type="original_full")
    config = transformers.BigBirdConfig(**{**SMALL, "num_hidden_layers": 1, "attention_type": "original_full"})
    config.is_decoder = ours.config.is_decoder
    theirs = theirs_class(config, _do_init=False)
    shapes = jax.eval_shape(
        lambda key: theirs.init_weights(key, (1, 1) if "Choice" not in name else (1, 1, 1)), jax.random.key(0)
    )
    expected = {leaf: value.shape for leaf, value in flatten_dict(shapes).items()}
    assert {leaf: value.shape for leaf, value in flatten_dict(ours.params).items()} == expected


@pytest.mark.parametrize("name", CLASSES)
def test_transformers_computes_the_same_from_our_file(name, tmp_path):
    """With one block of padding at most, since their pattern follows the padded length, as `huggingface` says.

    A decoder's attention is dense there too: block-sparse, it would see the pieces that come after.
    """
    transformers = pytest.importorskip("transformers")
    if not hasattr(transformers, f"Flax{name}"):
        pytest.skip("this version of transformers has no Flax classes (version 5 dropped them)")
    changes = {"num_hidden_layers": 1, "random_pattern": "huggingface"}
    if name == "BigBirdForCausalLM":
        changes["attention_type"] = "original_full"
    _, ours = make_pair(name, tmp_path, **changes)
    ours.save_pretrained(tmp_path, msgpack=True)
    (tmp_path / "model.safetensors").unlink()
    theirs, params = getattr(transformers, f"Flax{name}").from_pretrained(tmp_path, _do_init=False)
    ids, mask = make_batch([48, 47])
    ids[:, 3] = 5
    types = (np.arange(48) > 3).astype(int)[None].repeat(2, 0)
    given = (ids, mask, types)
    if name == "BigBirdForMultipleChoice":
        given = tuple(array[None] for array in given)
    expected = jax.jit(lambda params: theirs(*given, params=params))(params)
    actual = ours(*given)
    assert list(actual) == [field for field in expected if expected[field] is not None]
    for field in actual:
        one, other = np.asarray(actual[field]), np.asarray(expected[field])
        near = np.abs(other) < 1e5
        if one.shape[:2] == mask.shape:
            near[mask == 0] = False
        np.testing.assert_allclose(one[near], other[near], atol=1e-5, err_msg=field)


def test_a_head_that_the_file_lacks_is_drawn_with_the_seed(tmp_path):
    make_pair("BigBirdModel", tmp_path, num_hidden_layers=1)
    load = flax_models.FlaxBigBirdForTokenClassification.from_pretrained
    with pytest.warns(UserWarning, match="BW050"):
        one, same, other = (load(tmp_path, seed=seed, num_labels=4) for seed in (1, 1, 2))
    kernel = one.params["classifier"]["kernel"]
    assert kernel.shape == (16, 4) and np.array_equal(kernel, same.params["classifier"]["kernel"])
    assert not np.array_equal(kernel, other.params["classifier"]["kernel"])
    assert set(one.load_report.missing) == {"classifier.weight", "classifier.bias"}


def test_weights_that_do_not_fit(tmp_path):
    make_pair("BigBirdModel", tmp_path, num_hidden_layers=1)
    with pytest.raises(ValueError, match=r"BB057.*\n.*\n?.*encoder.layer.1"):
        flax_models.FlaxBigBirdModel.from_pretrained(tmp_path, num_hidden_layers=2)
    with pytest.raises(TypeError, match=r"BB058.*hiden_size"):
        flax_models.FlaxBigBirdModel.from_pretrained(tmp_path, hiden_size=2)
    with pytest.raises(FileNotFoundError, match="BB050"):
        flax_models.FlaxBigBirdModel.from_pretrained(tmp_path / "nowhere")


def test_parameters_of_another_model(tmp_path):
    _, model = make_pair("BigBirdModel", tmp_path / "one", num_hidden_layers=1)
    _, other = make_pair("BigBirdModel", tmp_path / "two", num_hidden_layers=1, intermediate_size=8)
    with pytest.raises(ValueError, match=r"BB731.*intermediate/dense/kernel"):
        model.params = other.params
    with pytest.raises(ValueError, match=r"BB731.*pooler/kernel"):
        model.save_pretrained(tmp_path, {key: value for key, value in model.params.items() if key != "pooler"})


INPUTS = [
    ({"input_ids": [3, 4]}, "BB091"),
    ({"input_ids": [[3] * 65]}, "BB092.*65.*64"),
    ({"input_ids": [[3, 4]], "attention_mask": [[1]]}, "BB093"),
    ({"input_ids": [[3] * 30], "attention_mask": [[0] + [1] * 29]}, "BB094"),
    ({"input_ids": [[3, 40]]}, "BB095.*40"),
    ({"input_ids": [[3, 4]], "token_type_ids": [[0, 2]]}, "BB103.*token_type_ids"),
    ({"input_ids": [[3, 4]], "position_ids": [[0, 64]]}, "BB103.*position_ids"),
    ({"input_ids": [[3, 4]], "past_key_values": {}}, "BB104.*past_key_values"),
]


@pytest.mark.parametrize(("given", "message"), INPUTS, ids=lambda value: value if isinstance(value, str) else "")
def test_inputs_that_do_not_fit(given, message):
    model = flax_models.FlaxBigBirdModel(torch_models.BigBirdConfig(**SMALL))
    with pytest.raises(ValueError, match=message):
        model(**given)


def test_a_mask_with_holes_is_honoured_by_dense_attention(tmp_path):
    ours, theirs = make_pair("BigBirdModel", tmp_path, num_hidden_layers=1)
    ids, mask = make_batch([24])
    mask[0, [0, 7]] = 0
    expected = ours(torch.tensor(ids), torch.tensor(mask)).last_hidden_state
    assert_equal(theirs(ids, mask).last_hidden_state, expected)


def test_the_package_does_without_jax():
    code = (
        "import sys; sys.modules['jax'] = None; import spacy_bigbird.model, spacy_bigbird.tokenizer\n"
        "try:\n    import spacy_bigbird.flax\nexcept ImportError as error:\n    print(error)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "BB730" in printed and "pip install 'spacy-bigbird[flax]'" in printed
