"""States of documents that do not depend on the questions, kept in memory for the questions that follow."""

from collections.abc import Callable, Hashable, Sequence

import numpy as np
import torch
from torch import Tensor

from ..cache.fingerprint import name_of_pieces
from ..plan.bounded_cache import BoundedCache
from .types import Array, PackedPieces


class KeptStates:
    """States of the documents that were used last, for any number of models. On the CPU, so that a GPU stays free.

    A copy is empty: states are not sent to other processes.

    max_bytes (int): what the states may take together.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._kept: BoundedCache[Tensor] = BoundedCache(max_bytes, lambda states: states.nbytes)

    def __reduce__(self) -> tuple:
        return KeptStates, (self.max_bytes,)

    @property
    def size(self) -> int:
        """What the states take. Unit: bytes."""
        return self._kept.size

    def get(
        self,
        model: Hashable,
        documents: PackedPieces,
        compute: Callable[[PackedPieces], Tensor],
        device: torch.device,
    ) -> Tensor:
        """Look up the states of documents, and compute those that are not kept.

        model (Hashable): everything that the states depend on besides the ids: weights, layers, precision.
        documents (PackedPieces): windows of documents, all of whose token types are those of documents.
        compute (Callable[[PackedPieces], Tensor]): computes the states of some of them. Shape: (pieces, width).
        device (device): where the states are needed.
        RETURNS (Tensor): the states of all of them. Shape: (total_pieces, width).
        """
        windows = np.split(np.asarray(documents.ids), np.cumsum(documents.lengths)[:-1])
        keys = [(model, name_of_pieces(ids)) for ids in windows]
        found = [self._kept.find(key) for key in keys]
        missing = [number for number, states in enumerate(found) if states is None]
        if missing:
            some = _only(documents, missing)
            for number, states in zip(missing, compute(some).split(list(some.lengths)), strict=True):
                found[number] = states
                self._kept.put(keys[number], states.to("cpu", copy=True))
        return torch.cat([states.to(device) for states in found if states is not None])


def _only(documents: PackedPieces, numbers: Sequence[int]) -> PackedPieces:
    """Choose some of the sequences."""
    chosen = np.repeat(np.isin(np.arange(len(documents.lengths)), numbers), documents.lengths)
    ids: Array = documents.ids
    types: Array = documents.token_type_ids
    lengths = [documents.lengths[number] for number in numbers]
    return PackedPieces(ids[chosen], lengths, None if types is None else types[chosen])
