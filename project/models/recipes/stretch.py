"""Extrapolate position embeddings to positions that a run on short sequences has never seen.

Training rotates and shifts the rows of the positions that it sees, together with the weights that read them. This
change is a function of the initial row: a linear function is fitted to the positions that were seen (ridge regression)
and applied to all others. The model then reads 4,096 pieces about as well as the short sequences it was trained on.
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor

from spacy_bigbird.model import BigBirdForMaskedLM
from spacy_bigbird.tokenizer import BigBirdTokenizer


def stretched(start: Tensor, trained: Tensor, seen: int, ridge: float) -> Tensor:
    """Extrapolate to all rows what training did to the first ones.

    start (Tensor): rows before training. Shape: (positions, width).
    trained (Tensor): rows after training. Shape: (positions, width).
    seen (int): number of first rows that were trained.
    ridge (float): penalty on large changes.
    RETURNS (Tensor): the trained rows, followed by the extrapolated ones. Shape: (positions, width).
    """
    scale = start.std()
    inputs = torch.cat([start / scale, torch.ones(len(start), 1)], dim=1).double()
    known = inputs[:seen]
    # A shift that all rows share is not penalized.
    cost = torch.full((inputs.shape[1],), ridge * seen).double()
    cost[-1] = 0
    change = torch.linalg.solve(known.T @ known + torch.diag(cost), known.T @ (trained - start)[:seen].double())
    return torch.cat([trained[:seen], (start + (inputs @ change).to(start.dtype))[seen:]])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("start", type=Path, help="checkpoint before training")
    options.add_argument("trained", type=Path, help="checkpoint after it")
    options.add_argument("output", type=Path)
    options.add_argument("--seen", type=int, required=True, help="longest sequence of the training")
    options.add_argument("--ridge", type=float, default=0.1)
    given = options.parse_args()
    name = "bigbird.embeddings.position_embeddings.weight"
    start = BigBirdForMaskedLM.from_pretrained(given.start).get_parameter(name).detach()
    model = BigBirdForMaskedLM.from_pretrained(given.trained)
    rows = model.get_parameter(name)
    rows.data.copy_(stretched(start, rows.detach(), given.seen, given.ridge))
    model.save_pretrained(given.output)
    BigBirdTokenizer.from_pretrained(given.trained).save_pretrained(given.output)


if __name__ == "__main__":
    main()
