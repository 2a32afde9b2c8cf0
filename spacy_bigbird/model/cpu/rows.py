"""Split the rows of a batch into parts of few different sizes.

oneDNN generates code for every new shape of a matrix product and keeps it, which takes from half a megabyte to several
megabytes. With another number of rows in every batch of documents, this would add up to gigabytes. Products are
therefore computed in parts, whose numbers of rows come from a short list.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

# Sizes of the parts. The size of the last one is rounded up to a multiple of STEP.
LARGEST_PART = 4096
USUAL_PART = 1024
STEP = 64


def split_rows(rows: Tensor, largest: int = LARGEST_PART) -> list[Tensor]:
    """Split rows into parts of `largest` rows, then of USUAL_PART rows, and one with the rest.

    The number of rows is rounded up to a multiple of STEP by adding zeros to the last part.

    rows (Tensor): the rows. Shape: (count, width).
    largest (int): LARGEST_PART or USUAL_PART.
    RETURNS (list[Tensor]): at least one part. Parts without added zeros are views. Shape: (size, width) each.
    """
    rest, parts, start = filled_up(len(rows)), [], 0
    for size in sorted({largest, USUAL_PART, STEP}, reverse=True):
        while rest >= size:
            # All that is left after the large parts is one part.
            taken = rest if size == STEP else size
            part = rows[start : start + taken]
            parts.append(part if len(part) == taken else F.pad(part, (0, 0, 0, taken - len(part))))
            start, rest = start + taken, rest - taken
    return parts or [rows]


def map_rows(
    function: Callable[..., Tensor], *rows: Tensor, width: int, dtype: torch.dtype, largest: int = LARGEST_PART
) -> Tensor:
    """Apply a function to rows in the parts of `split_rows`, with at most one part's result in memory twice.

    function (Callable[..., Tensor]): computes each row of the result from a row of each argument.
    *rows (Tensor): the arguments, all with the same number of rows. Shape: (count, any width) each.
    width (int): width of the result.
    dtype (torch.dtype): dtype of the result.
    largest (int): LARGEST_PART or USUAL_PART.
    RETURNS (Tensor): the result. Shape: (count, width).
    """
    count = len(rows[0])
    parts = list(zip(*(split_rows(argument, largest) for argument in rows), strict=True))
    if len(parts) == 1:
        return function(*parts[0])[:count].to(dtype)
    results = rows[0].new_empty(filled_up(count), width, dtype=dtype)
    for part, result in zip(parts, split_rows(results, largest), strict=True):
        result.copy_(function(*part))
    return results[:count]


def filled_up(count: int) -> int:
    """Round a number of rows up to what `split_rows` fills up to. A tensor with that many rows is split into views.

    count (int): number of rows.
    RETURNS (int): the number rounded up to a multiple of STEP.
    """
    return -(-count // STEP) * STEP
