"""A tiny encoder as a Thinc model."""

import pytest
import torch

from spacy_bigbird.thinc_layers.encoder_wrapper import build_encoder
from spacy_bigbird.thinc_layers.settings import EncoderSettings

from ..toy_pipelines import TINY_ENCODER


@pytest.fixture
def make_encoder(vocab_file):
    def make(transformer_config=None, **changes):
        torch.manual_seed(0)
        config = {**TINY_ENCODER, **(transformer_config or {})}
        encoder = build_encoder(EncoderSettings(vocab_file=str(vocab_file), transformer_config=config, **changes))
        encoder.initialize()
        return encoder

    return make
