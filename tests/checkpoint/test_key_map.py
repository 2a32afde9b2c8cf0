"""The table of names, read in both directions, against the names that transformers itself gives."""

import pytest
import torch
import transformers

from spacy_bigbird import model as models
from spacy_bigbird.checkpoint.key_map import TABLE, from_bert, from_huggingface, is_base_name, theirs_of, to_huggingface

SIZES = {
    "vocab_size": 20,
    "hidden_size": 4,
    "num_hidden_layers": 11,
    "num_attention_heads": 2,
    "intermediate_size": 6,
    "max_position_embeddings": 16,
    "block_size": 4,
}
CLASSES = [name for name in models.__all__ if name.startswith("BigBird") and name != "BigBirdConfig"]


def state_of(name: str, **changes) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return getattr(transformers, name)(transformers.BigBirdConfig(**SIZES, **changes)).state_dict()


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("use_bias", [True, False])
def test_every_class_survives_the_way_there_and_back(name, use_bias):
    decoder = {"is_decoder": True, "add_cross_attention": True} if name == "BigBirdForCausalLM" else {}
    theirs = state_of(name, use_bias=use_bias, **decoder)
    translation = from_huggingface(theirs)
    assert (translation.unknown, translation.incomplete) == ([], {})
    back = to_huggingface(translation.tensors, "" if name == "BigBirdModel" else "bert.")
    theirs.pop("cls.predictions.decoder.bias", None)
    assert back.keys() == theirs.keys()
    for key, tensor in theirs.items():
        assert torch.equal(back[key], tensor), key


def test_fused_rows_are_query_key_value():
    theirs = state_of("BigBirdModel")
    fused = from_huggingface(theirs).tensors["encoder.layers.10.attention.query_key_value.weight"]
    for part, name in enumerate(("query", "key", "value")):
        expected = theirs[f"encoder.layer.10.attention.self.{name}.weight"]
        assert torch.equal(fused[4 * part : 4 * part + 4], expected)


def test_files_with_and_without_prefix_are_alike():
    bare = state_of("BigBirdModel")
    prefixed = {f"bert.{name}": tensor for name, tensor in bare.items()}
    one, other = from_huggingface(bare).tensors, from_huggingface(prefixed).tensors
    assert one.keys() == other.keys()


def test_old_names_and_stored_buffers():
    tensors = {
        "bert.embeddings.LayerNorm.gamma": torch.ones(4),
        "bert.embeddings.LayerNorm.beta": torch.zeros(4),
        "bert.embeddings.position_ids": torch.arange(16),
        "embeddings.token_type_ids": torch.zeros(16),
        "cls.predictions.decoder.bias": torch.full((20,), 3.0),
    }
    translation = from_huggingface(tensors)
    assert translation.unknown == []
    assert set(translation.tensors) == {
        "embeddings.layer_norm.weight",
        "embeddings.layer_norm.bias",
        "lm_head.bias",
    }
    assert translation.tensors["lm_head.bias"][0] == 3.0
    both = from_huggingface({**tensors, "cls.predictions.bias": torch.full((20,), 5.0)})
    assert both.tensors["lm_head.bias"][0] == 5.0


def test_what_is_not_bigbird_is_unknown_and_half_a_fusion_incomplete():
    tensors = {
        "encoder.layer.0.attention.self.query.weight": torch.ones(4, 4),
        "encoder.layer.0.attention.self.value.weight": torch.ones(4, 4),
        "bert.pooler.dense.weight": torch.ones(4, 4),
        "encoder.layer.x.output.dense.weight": torch.ones(4, 4),
        "roberta.embeddings.word_embeddings.weight": torch.ones(4, 4),
        "weight": torch.ones(1),
    }
    translation = from_huggingface(tensors)
    assert translation.tensors == {}
    assert translation.incomplete == {
        "encoder.layers.0.attention.query_key_value.weight": ["encoder.layer.0.attention.self.key.weight"]
    }
    assert translation.unknown == [
        "bert.pooler.dense.weight",
        "encoder.layer.x.output.dense.weight",
        "roberta.embeddings.word_embeddings.weight",
        "weight",
    ]


def test_the_table_is_one_to_one():
    theirs = [name for names in TABLE.values() for name in names]
    assert len(theirs) == len(set(theirs))
    assert theirs_of("encoder.layers.3.cross_attention.key_value.bias") == [
        "encoder.layer.3.crossattention.self.key.bias",
        "encoder.layer.3.crossattention.self.value.bias",
    ]
    assert theirs_of("no.such.weight") == []
    with pytest.raises(KeyError, match=r"no\.such\.weight"):
        to_huggingface({"no.such.weight": torch.ones(1)})


@pytest.mark.parametrize(
    "name, expected",
    [
        ("embeddings.layer_norm.bias", True),
        ("pooler.weight", True),
        ("lm_head.bias", False),
        ("classifier.bias", False),
    ],
)
def test_base_names(name, expected):
    assert is_base_name(name) == expected


@pytest.mark.parametrize("kind", ["Bert", "Roberta"])
def test_names_of_bert_and_roberta(kind):
    sizes = {**SIZES, "num_hidden_layers": 1}
    del sizes["block_size"]
    config = getattr(transformers, f"{kind}Config")(**sizes)
    theirs = getattr(transformers, f"{kind}ForMaskedLM")(config).state_dict()
    pooler = {"pooler.dense.weight": torch.ones(4, 4), "pooler.dense.bias": torch.ones(4)}
    translation = from_huggingface(from_bert({**theirs, **pooler}))
    assert (translation.unknown, translation.incomplete) == ([], {})
    expected = from_huggingface(state_of("BigBirdForMaskedLM")).tensors
    layers = {
        name for name in expected if name.startswith("encoder.layers.") and not name.startswith("encoder.layers.0")
    }
    assert translation.tensors.keys() == expected.keys() - layers
