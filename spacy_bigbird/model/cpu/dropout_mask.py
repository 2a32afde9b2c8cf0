"""Draw what dropout keeps, fast enough not to slow down training.

PyTorch draws 64 random bits for each entry, one after another. At widths like those of BigBird, this takes as long as a
matrix product. Here, an entry takes 16 bits.
"""

import torch

# Random numbers below a threshold are dropped. They are 16 bits, four from each draw of PyTorch's generator.
NUMBERS = 2**16
NUMBERS_PER_DRAW = 4
SMALLEST_NUMBER, SMALLEST_DRAW = -(2**15), -(2**63)


def draw_kept(shape: tuple[int, ...], dropout: float) -> tuple[torch.Tensor, float]:
    """Draw the entries that dropout keeps, on the CPU, from PyTorch's global generator.

    shape (tuple[int, ...]): the shape.
    dropout (float): probability that an entry is dropped, from 0 to below 1. It is rounded to 16 bits.
    RETURNS (tuple[Tensor, float]): True for what is kept, of the given shape, and the factor for these entries that
        keeps the expected value.
    """
    dropped = min(round(dropout * NUMBERS), NUMBERS - 1)
    count = torch.Size(shape).numel()
    draws = torch.empty(-(-count // NUMBERS_PER_DRAW), dtype=torch.int64, device="cpu").random_(SMALLEST_DRAW, None)
    numbers = draws.view(torch.int16)[:count].view(shape)
    return numbers >= SMALLEST_NUMBER + dropped, NUMBERS / (NUMBERS - dropped)
