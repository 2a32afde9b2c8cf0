"""Two texts in one input: truncation of pairs, and windows over a long text, each after the same question."""

from dataclasses import dataclass

import numpy as np

from ..errors import Errors
from ..plan.windows import usual_overlap, window_ranges
from .encoding import TextPieces

# Number of special pieces added to one text, [CLS] x [SEP], and to two, [CLS] x [SEP] y [SEP].
ADDED_TO_ONE = 2
ADDED_TO_TWO = 3


STRATEGIES = ("only_first", "only_second", "longest_first")


def check_truncation(truncation: bool | str, max_length: int | None) -> None:
    """Check the truncation settings, whether or not a text is too long.

    truncation (bool | str): False, True or the name of a strategy.
    max_length (int | None): longest input. Unit: pieces.
    RAISES ValueError: there is no such strategy, or only one of the two is given.
    """
    if not isinstance(truncation, bool) and truncation not in STRATEGIES:
        expected = "False, True, " + " or ".join(f'"{strategy}"' for strategy in STRATEGIES)
        raise ValueError(Errors.BB020.format(name="truncation", value=truncation, expected=expected))
    if bool(truncation) != (max_length is not None):
        expected = "a number with truncation" if truncation else "None, or truncation=True along with it"
        raise ValueError(Errors.BB020.format(name="max_length", value=max_length, expected=expected))


def lengths_after_truncation(first: int, second: int, room: int, strategy: str) -> tuple[int, int]:
    """Compute how many pieces of each text are kept. Texts are cut at their end.

    first (int): number of pieces of the first text.
    second (int): number of pieces of the second text; 0 if there is none.
    room (int): number of pieces that fit in total, without special ones.
    strategy (str): "only_first" or "only_second" cuts only that text; "longest_first" removes one piece at a time from
        the longer text until both fit, or from the second one if they are equally long.
    RETURNS (tuple[int, int]): number of pieces kept of the first and of the second text.
    RAISES ValueError: the texts cannot be cut to fit.
    """
    if first + second <= room:
        return first, second
    if strategy == "longest_first" and room >= 0:
        if second <= room // 2:
            return room - second, second
        if first <= (room + 1) // 2:
            return first, room - first
        return (room + 1) // 2, room // 2
    if strategy == "only_first" and room >= second:
        return room - second, second
    if strategy == "only_second" and room >= first:
        return first, room - first
    raise ValueError(Errors.BB025.format(strategy=strategy, first=first, second=second, room=max(room, 0)))


@dataclass(frozen=True, eq=False)
class PairWindow:
    """One input with a question and a part of a long text: [CLS] question [SEP] part [SEP].

    ids (ndarray): id of each piece. Shape: (pieces,).
    token_type_ids (ndarray): 0 up to and including the first [SEP], 1 after it. Shape: (pieces,).
    start (int): first piece of the long text in this window.
    end (int): one past the last piece of the long text in this window.
    first_row (int): index of piece `start` in `ids`, after [CLS], the question and [SEP].
    offsets (ndarray): start and end of the pieces `start` to `end` in the long text. Shape: (end - start, 2).
        Unit: characters.
    """

    ids: np.ndarray
    token_type_ids: np.ndarray
    start: int
    end: int
    first_row: int
    offsets: np.ndarray


def pair_windows(
    question: TextPieces,
    text: TextPieces,
    *,
    cls_id: int,
    sep_id: int,
    max_length: int,
    overlap: int | None = None,
) -> list[PairWindow]:
    """Cut a long text into overlapping windows, each after the whole question.

    question (TextPieces): pieces of the question, which may be empty.
    text (TextPieces): pieces of the long text, computed once for all questions. For an empty text, there is one window.
    cls_id (int): id of [CLS].
    sep_id (int): id of [SEP].
    max_length (int): longest window, including the question and the three special pieces. Unit: pieces.
    overlap (int | None): number of pieces of the text that neighbouring windows share; None for an eighth of the room
        that the question leaves.
    RETURNS (list[PairWindow]): windows in the order of the text.
    RAISES ValueError: the question leaves no room, or the overlap is negative, or half of the room or more.
    """
    capacity = max_length - len(question) - ADDED_TO_TWO
    if capacity < 1:
        raise ValueError(
            Errors.BB025.format(strategy="only_second", first=len(question), second=len(text), room=max(capacity, 0))
        )
    shared = usual_overlap(capacity) if overlap is None else overlap
    if shared and not 0 <= shared < capacity // 2:
        expected = f"0 or more and below {capacity // 2}, half of the {capacity} pieces that the question leaves"
        raise ValueError(Errors.BB020.format(name="overlap", value=overlap, expected=expected))
    head = np.concatenate(([cls_id], question.ids, [sep_id])).astype(np.int32)
    windows = []
    for start, end in window_ranges(len(text), capacity, shared):
        ids = np.concatenate((head, text.ids[start:end], [sep_id])).astype(np.int32)
        token_type_ids = (np.arange(len(ids)) >= len(head)).astype(np.int32)
        windows.append(PairWindow(ids, token_type_ids, start, end, len(head), text.offsets[start:end]))
    return windows
