"""Move the entries of pieces to the rows of a packed tensor, and back."""

import torch
from torch import Tensor

from ..plan.packing import Packing


def pack(pieces: Tensor, packing: Packing) -> Tensor:
    """Put the entries of pieces into their rows, with zeros for padding.

    pieces (Tensor): one entry for each piece. Shape: (pieces, ...).
    packing (Packing): where each sequence is.
    RETURNS (Tensor): one entry for each row. Shape: (rows, ...).
    """
    if not packing.has_padding:
        return pieces
    rows = pieces.new_zeros((sum(packing.row_counts), *pieces.shape[1:]))
    return rows.index_copy(0, _piece_rows(packing, pieces.device), pieces)


def unpack(rows: Tensor, packing: Packing) -> Tensor:
    """Take the entries of pieces out of their rows.

    rows (Tensor): one entry for each row. Shape: (rows, ...).
    packing (Packing): where each sequence is.
    RETURNS (Tensor): one entry for each piece. Shape: (pieces, ...).
    """
    return rows.index_select(0, _piece_rows(packing, rows.device)) if packing.has_padding else rows


def _piece_rows(packing: Packing, device: torch.device) -> Tensor:
    return torch.from_numpy(packing.piece_rows).to(device)
