"""States of documents that are kept for the questions that follow."""

import pickle

import numpy as np
import torch

from spacy_bigbird.thinc_layers.kept_states import KeptStates
from spacy_bigbird.thinc_layers.types import PackedPieces

CPU = torch.device("cpu")


def packed(*windows):
    ids = np.concatenate(windows).astype("i")
    return PackedPieces(ids, [len(window) for window in windows], np.ones_like(ids))


def states_of(pieces, computed):
    """Two columns that name each piece, after taking note of what was computed."""
    assert pieces.token_type_ids.tolist() == [1] * sum(pieces.lengths) and len(pieces.ids) == sum(pieces.lengths)
    computed.append(list(pieces.lengths))
    ids = torch.as_tensor(pieces.ids, dtype=torch.float32)
    return torch.stack([ids, ids + 0.5], dim=1)


def test_only_what_is_missing_is_computed():
    kept, computed = KeptStates(1000), []

    def get(model, *windows):
        found = kept.get(model, packed(*windows), lambda some: states_of(some, computed), CPU)
        assert found[:, 0].tolist() == [number for window in windows for number in window]
        return computed.pop() if computed else None

    assert get("a", [1, 2], [3]) == [2, 1]
    assert get("a", [3], [1, 2]) is None
    assert get("a", [1, 2], [4, 5, 6], [3], [7]) == [3, 1]
    assert kept.size == 7 * 2 * 4
    assert get("b", [3]) == [1] and get("a", [3]) is None


def test_the_limit_holds_and_a_copy_is_empty():
    kept, computed = KeptStates(3 * 8), []
    for window in ([1], [2], [3], [1], [4], [2], [5, 6, 7, 8], [4]):
        kept.get("a", packed(window), lambda some: states_of(some, computed), CPU)
        assert kept.size <= 24
    # The second came back after the fourth had taken its place, and what is larger than all was not kept.
    assert computed == [[1], [1], [1], [1], [1], [4]] and kept.size == 24
    again = pickle.loads(pickle.dumps(kept))
    assert again.size == 0 and again.max_bytes == 24


def test_a_part_of_a_batch_does_not_hold_all_of_it():
    kept = KeptStates(1000)
    batch = torch.zeros(3, 2)
    kept.get("a", packed([1, 2], [3]), lambda some: batch, CPU)
    batch += 1
    assert not kept.get("a", packed([1, 2], [3]), lambda some: batch, CPU).any()
