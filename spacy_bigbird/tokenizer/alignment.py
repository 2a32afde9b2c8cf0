"""Which pieces belong to which token, by the characters they share."""

import numpy as np


def align_pieces(
    token_starts: np.ndarray,
    token_ends: np.ndarray,
    piece_offsets: np.ndarray,
    must_align: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the pieces of each token. A piece belongs to every token with which it shares a character.

    token_starts (ndarray): first character of each token, in ascending order. Shape: (tokens,).
    token_ends (ndarray): one past the last character of each token. Tokens do not overlap. Shape: (tokens,).
    piece_offsets (ndarray): first and one past the last character of each piece, both in ascending order, as the
        tokenizer gives them. Shape: (pieces, 2).
    must_align (ndarray | None): tokens that get the nearest piece before them (or else the first) when they share a
        character with none, because the vocabulary's normaliser dropped them. Give those with visible characters, and
        leave out what was cut off. Shape: (tokens,), booleans.
    RETURNS (tuple[ndarray, ndarray]): numbers of the pieces, token after token, and how many of them each token has.
        Shapes: (sum of the lengths,) and (tokens,). A token of white space may have none.
    """
    starts, ends = np.asarray(token_starts, dtype=np.int64), np.asarray(token_ends, dtype=np.int64)
    # Only pieces with characters count: a mark of a word's start that stands alone has none.
    numbers = np.flatnonzero(piece_offsets[:, 1] > piece_offsets[:, 0])
    piece_starts, piece_ends = piece_offsets[numbers, 0], piece_offsets[numbers, 1]
    first = np.searchsorted(piece_ends, starts, side="right")
    last = np.searchsorted(piece_starts, ends, side="left")
    lengths = np.where(starts < ends, np.maximum(last - first, 0), 0)
    if must_align is not None and len(numbers):
        alone = np.asarray(must_align, dtype=bool) & (lengths == 0)
        first = np.where(alone, np.maximum(first - 1, 0), first)
        lengths = np.where(alone, 1, lengths)
    # One range per token, written as one flat row: each token's first piece plus the place within the token.
    place = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return numbers[np.repeat(first, lengths) + place], lengths
