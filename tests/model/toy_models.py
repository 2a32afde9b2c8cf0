"""Tiny encoders for tests of what they compute, and sequences for them."""

import torch

from spacy_bigbird.model.encoder import BigBirdModel
from spacy_bigbird.plan.config import BigBirdConfig

TINY = {
    "vocab_size": 90,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 48,
    "max_position_embeddings": 700,
    "block_size": 8,
    "full_attention_up_to": 60,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "initializer_range": 0.2,
}
# Sparse from 21 pieces on.
SMALL = BigBirdConfig(**TINY).replace(
    vocab_size=80, max_position_embeddings=64, block_size=4, num_random_blocks=1, full_attention_up_to=20
)


def make_model(**fields):
    torch.manual_seed(0)
    return BigBirdModel(BigBirdConfig(**{**TINY, **fields})).eval()


MODELS = {pattern: make_model(random_pattern=pattern) for pattern in ("paper", "none", "huggingface")}


def make_sequences(lengths, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(3, 90, (length,), generator=generator) for length in lengths]
