"""Initialize the model "small" from the weights of a BERT, and write a masked language model checkpoint to OUTPUT."""

import argparse
import json
from pathlib import Path

import torch

from spacy_bigbird.model import BigBirdForMaskedLM, warm_start
from spacy_bigbird.tokenizer import BigBirdTokenizer


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("source", type=Path, help="folder of the source: config.json, model.safetensors, vocab.txt")
    options.add_argument("vocab", type=Path, help="the new spiece.model")
    options.add_argument("output", type=Path)
    given = options.parse_args()
    # The language modelling head is new, because the source has none.
    torch.manual_seed(0)
    model, report = warm_start(
        given.source,
        given.vocab,
        4096,
        model_class=BigBirdForMaskedLM,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    model.save_pretrained(given.output)
    BigBirdTokenizer(given.vocab).save_pretrained(given.output)
    numbers = {
        "pieces": report.pieces,
        "copied": report.copied,
        "averaged": report.averaged,
        "share_copied": round(report.share_copied, 4),
    }
    (given.output / "warm_start.json").write_text(json.dumps(numbers, indent=2) + "\n")
    print(report)


if __name__ == "__main__":
    main()
