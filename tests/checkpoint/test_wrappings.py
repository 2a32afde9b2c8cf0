"""Checkpoints as training tools leave them: the tensors are all there, under other names."""

import json
from collections import OrderedDict

import pytest
import torch
from safetensors.torch import load_file, save_file

from spacy_bigbird.checkpoint.key_map import from_huggingface
from spacy_bigbird.checkpoint.wrappings import without_nests
from spacy_bigbird.model import BigBirdConfig, BigBirdForTokenClassification

CONFIG = BigBirdConfig(
    vocab_size=40, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12, num_labels=3
)


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    BigBirdForTokenClassification.build(CONFIG).save_pretrained(tmp_path)
    return tmp_path


def tensors_in(folder):
    return load_file(folder / "model.safetensors")


def compiled_layers(name):
    """Names if only the layers are compiled, and checkpointed and sharded."""
    return name.replace(".layer.0.", ".layer.0._orig_mod.").replace(
        ".layer.1.", ".layer.1._fsdp_wrapped_module._checkpoint_wrapped_module."
    )


@pytest.mark.parametrize(
    ("rename", "stripped"),
    [
        (lambda name: f"_orig_mod.{name}", ("_orig_mod.",)),
        (lambda name: f"module.{name}", ("module.",)),
        (lambda name: f"module._orig_mod.{name}", ("_orig_mod.", "module.")),
        (lambda name: f"_orig_mod.module.{name}", ("_orig_mod.", "module.")),
        (lambda name: f"model.{name}", ("model.",)),
        (lambda name: f"net.encoder.{name}", ("net.encoder.",)),
        (lambda name: f"model.{name.removeprefix('bert.')}", ("model.",)),
        (lambda name: name.replace("bert.", "bigbird."), ("bigbird.",)),
        (lambda name: name.replace("bert.", "backbone."), ("backbone.",)),
        (compiled_layers, ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")),
        (lambda name: name, ()),
    ],
)
def test_names_lose_what_tools_put_into_them_and_the_report_says_so(folder, recwarn, rename, stripped):
    before = BigBirdForTokenClassification.from_pretrained(folder)
    save_file({rename(name): tensor for name, tensor in tensors_in(folder).items()}, folder / "model.safetensors")
    model = BigBirdForTokenClassification.from_pretrained(folder)
    assert model.load_report.stripped == stripped and not model.load_report.missing
    assert all(prefix in str(model.load_report) for prefix in stripped)
    weights = before.state_dict()
    assert all(torch.equal(weight, weights[name]) for name, weight in model.state_dict().items())
    assert not [warning for warning in recwarn if "BW050" in str(warning.message)]


@pytest.mark.parametrize(
    ("nest", "stripped"),
    [
        (
            lambda t: {"state_dict": {f"model.{n}": v for n, v in t.items()}, "epoch": 3, "lr": [0.1]},
            "state_dict.model.",
        ),
        (lambda t: {"model_state_dict": OrderedDict(t), "optimizer_state_dict": {"step": 3}}, "model_state_dict."),
        (lambda t: {"model": t, "step": 10}, "model."),
        (lambda t: {"module": {f"module.{n}": v for n, v in t.items()}, "global_steps": 7}, "module.module."),
    ],
)
def test_weights_are_found_among_what_a_training_tool_saves(folder, nest, stripped):
    before = BigBirdForTokenClassification.from_pretrained(folder).state_dict()
    torch.save(nest(tensors_in(folder)), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    model = BigBirdForTokenClassification.from_pretrained(folder)
    assert model.load_report.stripped == (stripped,)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def test_two_models_in_one_file_are_never_mixed(folder):
    tensors = tensors_in(folder)
    both = {f"{who}.{name}": tensor.clone() for who in ("student", "teacher") for name, tensor in tensors.items()}
    save_file(both, folder / "model.safetensors")
    with pytest.raises(ValueError, match=r"(?s)BB057.*missing.*unexpected: student\."):
        BigBirdForTokenClassification.from_pretrained(folder)


def test_a_copy_beside_the_model_does_not_take_its_place():
    mine, average = torch.zeros(4, 4), torch.ones(4, 4)
    tensors = {"pooler.weight": mine, "ema.pooler.weight": average}
    translation = from_huggingface(tensors)
    assert translation.tensors["pooler.weight"] is mine and translation.unknown == ["ema.pooler.weight"]
    assert translation.stripped == ()


@pytest.mark.parametrize("content", [None, 3, [], {}, {"state_dict": {}}, {"epoch": 3}, {"state_dict": {"a": 1}}])
def test_what_has_no_weights_has_none(content):
    assert without_nests(content) is None


def test_an_index_of_parts_has_wrapped_names_too(folder):
    tensors = {f"_orig_mod.{name}": tensor for name, tensor in tensors_in(folder).items()}
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    save_file(tensors, folder / "model-1.safetensors")
    index = {"weight_map": dict.fromkeys(tensors, "model-1.safetensors")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert BigBirdForTokenClassification.from_pretrained(folder).load_report.stripped == ("_orig_mod.",)
