"""Rows of a batch in parts of few different sizes.

oneDNN prepares code for every new shape of a matrix product and keeps it: half a megabyte to several. Products with
ever new numbers of rows, one for each batch of documents, would fill gigabytes. So they are computed in parts whose
numbers of rows come from a short list.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

# Sizes of parts, and what the size of the last part is rounded up to.
LARGEST_PART = 4096
USUAL_PART = 1024
STEP = 64


def split_rows(rows: Tensor, largest: int = LARGEST_PART) -> list[Tensor]:
    """Cut rows into parts of `largest`, then of USUAL_PART rows, and a last one filled up with rows of zeros.

    rows (Tensor): Shape: (count, width).
    largest (int): LARGEST_PART or USUAL_PART.
    RETURNS (list[Tensor]): at least one part. Shape: (number of rows of the part, width) each.
    """
    parts, start = [], 0
    for size in sorted({largest, USUAL_PART}, reverse=True):
        while len(rows) - start >= size:
            parts.append(rows[start : start + size])
            start += size
    missing = -(len(rows) - start) % STEP
    if start < len(rows) or not parts:
        parts.append(F.pad(rows[start:], (0, 0, 0, missing)) if missing else rows[start:])
    return parts


def join_rows(parts: list[Tensor], count: int) -> Tensor:
    """Undo `split_rows`.

    parts (list[Tensor]): what became of the parts, in order. Shape: (rows of the part, width) each.
    count (int): number of rows in all, without the ones filled up.
    RETURNS (Tensor): Shape: (count, width).
    """
    return (parts[0] if len(parts) == 1 else torch.cat(parts))[:count]
