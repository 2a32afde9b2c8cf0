"""A conditional random field over BILUO tags, in which all valid sequences, and only those, have a probability."""

from .lattice import BEGIN, IN, LAST, UNIT, Floats, Mask, Transitions, tag_index
from .loss import PathLoss, path_loss
from .sums import PathSums, path_sums
from .viterbi import best_paths

__all__ = [
    "BEGIN",
    "IN",
    "LAST",
    "UNIT",
    "Floats",
    "Mask",
    "PathLoss",
    "PathSums",
    "Transitions",
    "best_paths",
    "path_loss",
    "path_sums",
    "tag_index",
]
