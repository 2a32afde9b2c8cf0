"""Write random weights for the model "tiny" as a checkpoint to OUTPUT.

An hour on a CPU is too short to learn from scratch that neighbours matter most, so this is built in: position
embeddings are initialized to sines and cosines (Vaswani et al. 2017, section 3.5), as strong as the random word
embeddings, and two heads in each of the first two layers attend to the pieces one and two positions before and after,
like the "positional heads" of trained models (Voita et al. 2019). All of these are trained like other weights.
"""

import argparse
from pathlib import Path

import torch

from spacy_bigbird.model import BigBirdConfig, BigBirdForMaskedLM
from spacy_bigbird.tokenizer import BigBirdTokenizer

from ...workflows.library.positions import add_neighbours

SIZES = {
    "hidden_size": 192,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "intermediate_size": 768,
    "max_position_embeddings": 4096,
    # With so few passes, the texts cannot be learned by heart, and dropout would cost time.
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}


def make_model(tokenizer: BigBirdTokenizer, seed: int) -> BigBirdForMaskedLM:
    """Create the model with its initial weights.

    tokenizer (BigBirdTokenizer): the vocabulary.
    seed (int): seed of the weights.
    RETURNS (BigBirdForMaskedLM): the model.
    """
    torch.manual_seed(seed)
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("pad", "bos", "eos", "sep")}
    config = BigBirdConfig(**SIZES, **ids, vocab_size=tokenizer.vocab_size)
    model = BigBirdForMaskedLM(config)
    add_neighbours(model.bigbird)
    return model


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("vocab", type=Path, help="spiece.model")
    options.add_argument("output", type=Path)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    tokenizer = BigBirdTokenizer(given.vocab)
    make_model(tokenizer, given.seed).save_pretrained(given.output)
    tokenizer.save_pretrained(given.output)


if __name__ == "__main__":
    main()
