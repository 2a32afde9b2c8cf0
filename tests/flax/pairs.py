"""Pairs of the same model in PyTorch and Flax, small enough that compiling them takes a second."""

import numpy as np
import torch

from spacy_bigbird import flax as flax_models
from spacy_bigbird import model as torch_models
from spacy_bigbird.model import BigBirdConfig

CLASSES = [
    "BigBirdModel",
    "BigBirdForPreTraining",
    "BigBirdForMaskedLM",
    "BigBirdForCausalLM",
    "BigBirdForSequenceClassification",
    "BigBirdForTokenClassification",
    "BigBirdForMultipleChoice",
    "BigBirdForQuestionAnswering",
]
SMALL = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 64,
    "block_size": 4,
    "num_random_blocks": 1,
    "full_attention_up_to": 24,
    "sep_token_id": 5,
    "num_labels": 3,
}
# Around all borders: one piece, dense up to 24, a new block after 28, all 32 columns.
LENGTHS = [1, 23, 24, 25, 27, 28, 29, 31, 32]


def make_pair(name, folder, **changes):
    """A PyTorch model with random weights, and the Flax model loaded from its checkpoint."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = getattr(torch_models, name)(BigBirdConfig(**{**SMALL, **changes})).eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
    return model, getattr(flax_models, f"Flax{name}").from_pretrained(folder)


def make_batch(lengths=LENGTHS, seed=0):
    """Ids and mask of a batch that is padded on the right."""
    columns = max(lengths)
    ids = np.random.default_rng(seed).integers(6, SMALL["vocab_size"], (len(lengths), columns))
    return ids, (np.arange(columns) < np.array(lengths)[:, None]).astype(int)


def assert_equal(actual, expected, tolerance=1e-5):
    np.testing.assert_allclose(np.asarray(actual, np.float32), expected.detach().numpy(), rtol=0, atol=tolerance)
