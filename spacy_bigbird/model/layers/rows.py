"""Rows of a batch in parts of few different sizes.

oneDNN prepares code for every new shape of a matrix product and keeps it: half a megabyte to several. Products with
ever new numbers of rows, one for each batch of documents, would fill gigabytes. So they are computed in parts whose
numbers of rows come from a short list.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

# Sizes of parts, and what the size of the last part is rounded up to.
LARGEST_PART = 4096
USUAL_PART = 1024
STEP = 64


def split_rows(rows: Tensor, largest: int = LARGEST_PART) -> list[Tensor]:
    """Cut rows into parts of `largest`, then of USUAL_PART rows, and a last one, all filled up with rows of zeros.

    rows (Tensor): Shape: (count, width).
    largest (int): LARGEST_PART or USUAL_PART.
    RETURNS (list[Tensor]): at least one part, views where nothing is filled up. Shape: (rows of the part, width) each.
    """
    rest, parts, start = filled_up(len(rows)), [], 0
    for size in sorted({largest, USUAL_PART, STEP}, reverse=True):
        while rest >= size:
            # What is left after the large parts is one part.
            taken = rest if size == STEP else size
            part = rows[start : start + taken]
            parts.append(part if len(part) == taken else F.pad(part, (0, 0, 0, taken - len(part))))
            start, rest = start + taken, rest - taken
    return parts or [rows]


def map_rows(
    function: Callable[..., Tensor], *rows: Tensor, width: int, dtype: torch.dtype, largest: int = LARGEST_PART
) -> Tensor:
    """Apply a function to rows in the parts of `split_rows`. No more than one part's result is held twice.

    function (Callable[..., Tensor]): makes one row of the result from a row of each argument.
    *rows (Tensor): the arguments, all of one length. Shape: (count, any width) each.
    width (int): of the result.
    dtype (torch.dtype): of the result.
    largest (int): LARGEST_PART or USUAL_PART.
    RETURNS (Tensor): Shape: (count, width).
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
    """RETURNS (int): how many rows `split_rows` makes of so many. A tensor with that many is cut into views."""
    return -(-count // STEP) * STEP
