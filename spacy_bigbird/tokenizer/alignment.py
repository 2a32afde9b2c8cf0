"""Align pieces with tokens by the characters that they share."""

import numpy as np


def align_pieces(
    token_starts: np.ndarray,
    token_ends: np.ndarray,
    piece_offsets: np.ndarray,
    must_align: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the pieces of each token. A piece belongs to every token that it shares a character with.

    token_starts (ndarray): first character of each token, in ascending order. Shape: (tokens,).
    token_ends (ndarray): one past the last character of each token. Tokens do not overlap. Shape: (tokens,).
    piece_offsets (ndarray): first character of each piece and one past its last, both in ascending order, as returned
        by the tokenizer. Shape: (pieces, 2).
    must_align (ndarray | None): whether a token that shares no character with any piece, because the vocabulary's
        normaliser dropped it, gets the nearest piece before it (or else the first one). Set it for tokens with visible
        characters, but not for those beyond a truncation. Shape: (tokens,), booleans.
    RETURNS (tuple[ndarray, ndarray]): indices of the pieces, token after token, and the number of pieces of each token,
        which may be 0 for white space. Shapes: (sum of the numbers,) and (tokens,).
    """
    starts, ends = np.asarray(token_starts, dtype=np.int64), np.asarray(token_ends, dtype=np.int64)
    # Pieces without characters do not count, such as a bare word-start mark.
    numbers = np.flatnonzero(piece_offsets[:, 1] > piece_offsets[:, 0])
    piece_starts, piece_ends = piece_offsets[numbers, 0], piece_offsets[numbers, 1]
    first = np.searchsorted(piece_ends, starts, side="right")
    last = np.searchsorted(piece_starts, ends, side="left")
    lengths = np.where(starts < ends, np.maximum(last - first, 0), 0)
    if must_align is not None and len(numbers):
        alone = np.asarray(must_align, dtype=bool) & (lengths == 0)
        first = np.where(alone, np.maximum(first - 1, 0), first)
        lengths = np.where(alone, 1, lengths)
    # One range per token, all in one flat array: the token's first piece plus the index within the token.
    place = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return numbers[np.repeat(first, lengths) + place], lengths
