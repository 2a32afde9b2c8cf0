"""Checkpoints in and out of a model, against transformers as the other reader and writer."""

import warnings

import pytest
import torch
import transformers
from torch import nn

from spacy_bigbird.model.config import BigBirdConfig
from spacy_bigbird.model.pretrained import PretrainedModel

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
CONFIG = BigBirdConfig(**SIZES)


def attention(config: BigBirdConfig) -> nn.Module:
    module = nn.Module()
    module.query_key_value = nn.Linear(config.hidden_size, 3 * config.hidden_size, bias=config.use_bias)
    module.output = nn.Linear(config.hidden_size, config.hidden_size)
    return module


class BigBirdModel(PretrainedModel):
    """The parameters of an encoder without its computation."""

    base_model_prefix = ""

    def __init__(self, config: BigBirdConfig, add_pooling_layer: bool = True) -> None:
        super().__init__(config)
        width, inner = config.hidden_size, config.intermediate_size
        self.embeddings = nn.Module()
        self.embeddings.word_embeddings = nn.Embedding(config.vocab_size, width)
        self.embeddings.position_embeddings = nn.Embedding(config.max_position_embeddings, width)
        self.embeddings.token_type_embeddings = nn.Embedding(config.type_vocab_size, width)
        self.embeddings.layer_norm = nn.LayerNorm(width)
        self.encoder = nn.Module()
        self.encoder.layers = nn.ModuleList(nn.Module() for _ in range(config.num_hidden_layers))
        for layer in self.encoder.layers:
            layer.attention = attention(config)
            layer.attention_norm = nn.LayerNorm(width)
            layer.feed_forward = nn.Module()
            layer.feed_forward.intermediate = nn.Linear(width, inner)
            layer.feed_forward.output = nn.Linear(inner, width)
            layer.feed_forward_norm = nn.LayerNorm(width)
        if add_pooling_layer:
            self.pooler = nn.Linear(width, width)


class BigBirdForMaskedLM(PretrainedModel):
    def __init__(self, config: BigBirdConfig) -> None:
        super().__init__(config)
        self.bigbird = BigBirdModel(config)
        self.lm_head = nn.Module()
        self.lm_head.bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.lm_head.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.lm_head.layer_norm = nn.LayerNorm(config.hidden_size)
        self.lm_head.decoder = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        if config.tie_word_embeddings:
            self.lm_head.decoder.weight = self.bigbird.embeddings.word_embeddings.weight


class BigBirdForTokenClassification(PretrainedModel):
    def __init__(self, config: BigBirdConfig) -> None:
        super().__init__(config)
        self.bigbird = BigBirdModel(config)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)


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


@pytest.mark.parametrize("changes", [{}, {"use_bias": False}, {"tie_word_embeddings": False}], ids=str)
def test_round_trip_keeps_every_weight_and_the_configuration(changes, tmp_path):
    model = randomized(BigBirdForMaskedLM(CONFIG.replace(**changes)))
    model.save_pretrained(tmp_path / "new" / "folder")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = BigBirdForMaskedLM.from_pretrained(tmp_path / "new" / "folder")
    assert_same_weights(model, loaded)
    saved = {
        key: value for key, value in loaded.config.to_dict().items() if key not in ("architectures", "torch_dtype")
    }
    assert saved == model.config.to_dict()
    tied = loaded.lm_head.decoder.weight is loaded.bigbird.embeddings.word_embeddings.weight
    assert tied == loaded.config.tie_word_embeddings
    assert not loaded.training
    assert str(loaded.load_report).endswith("every weight found its place")
