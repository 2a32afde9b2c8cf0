"""From start and end logits to answers: candidates of all windows of a document in one list, ranked by raw score."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..probabilities import softmax

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class AnswerPositions:
    """Where an answer starts or ends that is bounded by a piece of the context.

    start_char (Ints): start of an answer that begins with the piece. Shape: (pieces,). Unit: characters.
    end_char (Ints): end of an answer that ends with the piece. Shape: (pieces,). Unit: characters.
    first_token (Ints): token in which that answer starts. Shape: (pieces,).
    last_token (Ints): token in which that answer ends. It is less than `first_token` if the piece cannot bound an
        answer, because it is whitespace. Shape: (pieces,).
    """

    start_char: Ints
    end_char: Ints
    first_token: Ints
    last_token: Ints


@dataclass(frozen=True)
class WindowLogits:
    """Raw scores of one window for one question.

    start (Floats): logit of each context piece for starting the answer. Shape: (pieces in the window,).
    end (Floats): logit of each context piece for ending the answer. Shape: (pieces in the window,).
    null (float): sum of the start and end logit of [CLS].
    first_piece (int): index of the window's first context piece among the pieces of the document.
    """

    start: Floats
    end: Floats
    null: float
    first_piece: int = 0


class Candidate(NamedTuple):
    """A possible answer, or "no answer" with the characters 0 and 0.

    start_char (int): start of the answer. Unit: characters.
    end_char (int): end of the answer, exclusive. Unit: characters.
    logit (float): raw score.
    score (float): probability among the candidates.
    """

    start_char: int
    end_char: int
    logit: float
    score: float

    @property
    def is_null(self) -> bool:
        """Whether this is "no answer"."""
        return self.end_char == 0


def _largest(values: Floats, count: int) -> Ints:
    """Find the indices of the largest finite values, in descending order. Equal values are in the order of the text."""
    order = np.argsort(-values, kind="stable")[:count]
    return order[np.isfinite(values[order])]


def window_candidates(
    window: WindowLogits, positions: AnswerPositions, n_best: int, max_answer_length: int
) -> tuple[Ints, Ints, Floats]:
    """Find the allowed pairs of the best starts and the best ends of one window.

    If none of these pairs is allowed, each of the best starts is paired with its best allowed end.

    window (WindowLogits): the raw scores.
    positions (AnswerPositions): positions for the whole document.
    n_best (int): number of starts and ends to try.
    max_answer_length (int): maximum length of an answer. Unit: tokens.
    RETURNS (tuple[Ints, Ints, Floats]): first and last piece of each pair, counted from the document's start, and its
        raw score. Shape of each: (pairs,).
    """
    pieces = slice(window.first_piece, window.first_piece + len(window.start))
    first, last = positions.first_token[pieces], positions.last_token[pieces]
    bounds = last >= first
    begins = _largest(np.where(bounds, window.start, -np.inf), n_best)
    ends = _largest(np.where(bounds, window.end, -np.inf), n_best)
    length = last[ends][None, :] - first[begins][:, None] + 1
    allowed = (ends[None, :] >= begins[:, None]) & (length <= max_answer_length)
    if not allowed.any():
        begin_index, end_index = _nearest_ends(window, first, last, begins, max_answer_length)
    else:
        rows, columns = np.nonzero(allowed)
        begin_index, end_index = begins[rows], ends[columns]
    logits = window.start[begin_index] + window.end[end_index]
    return begin_index + window.first_piece, end_index + window.first_piece, logits


def _nearest_ends(window: WindowLogits, first: Ints, last: Ints, begins: Ints, max_answer_length: int) -> tuple:
    pairs = []
    for begin in begins:
        # Tokens ascend with the pieces, so the allowed ends form one stretch, in which whitespace is not an end.
        stop = begin + int(np.searchsorted(np.maximum.accumulate(last[begin:]), first[begin] + max_answer_length))
        ends = np.where(last[begin:stop] >= first[begin:stop], window.end[begin:stop], -np.inf)
        if len(ends) and np.isfinite(ends.max()):
            pairs.append((begin, begin + int(ends.argmax())))
    found = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def search_spans(
    windows: Sequence[WindowLogits],
    positions: AnswerPositions,
    *,
    n_best: int = 20,
    max_answer_length: int = 30,
    group_key: Callable[[int, int], str] | None = None,
) -> list[Candidate]:
    """Find the best answers to one question over all windows of a document, including "no answer".

    Windows are compared by raw scores (start logit + end logit), so that all of them count the same. A stretch found in
    several windows keeps its best score. "No answer" gets the lowest of its scores in the windows, since all of them
    must agree that there is no answer.

    windows (Sequence[WindowLogits]): the windows of the document, at least one.
    positions (AnswerPositions): where answers bounded by each piece of the document start and end.
    n_best (int): number of starts and ends to try per window, and of answers to keep in addition to "no answer".
    max_answer_length (int): maximum length of an answer. Unit: tokens.
    group_key (Callable[[int, int], str] | None): returns a key for the start and end character of an answer. Answers
        with the same key are merged into the best one. None to merge only the same stretch, not other mentions of its
        text.
    RETURNS (list[Candidate]): the candidates, best first; `score` is the softmax over this list.
    """
    found = [window_candidates(window, positions, n_best, max_answer_length) for window in windows]
    begins, ends, logits = (np.concatenate(parts) for parts in zip(*found, strict=True))
    start_char, end_char = positions.start_char[begins], positions.end_char[ends]
    order = np.lexsort((end_char, start_char, -logits))
    kept: list[tuple[int, int, float]] = []
    seen: set[object] = set()
    for index in order:
        start, end = int(start_char[index]), int(end_char[index])
        key = (start, end) if group_key is None else group_key(start, end)
        if key not in seen:
            seen.add(key)
            kept.append((start, end, float(logits[index])))
            if len(kept) == n_best:
                break
    kept.append((0, 0, min(window.null for window in windows)))
    kept.sort(key=lambda row: -row[2])
    scores = softmax(np.asarray([row[2] for row in kept], dtype=np.float64))
    return [Candidate(*row, float(score)) for row, score in zip(kept, scores, strict=True)]


def choose(candidates: Sequence[Candidate], null_threshold: float = 0.0) -> Candidate:
    """Choose the answer to give: "no answer" if its raw score exceeds that of the best other answer by a threshold.

    candidates (Sequence[Candidate]): the result of `search_spans`.
    null_threshold (float): "no answer" must exceed the other answer by more than this. With infinity, it is only
        chosen if there are no other candidates.
    RETURNS (Candidate): one of the candidates.
    """
    null = next(candidate for candidate in candidates if candidate.is_null)
    best = next((candidate for candidate in candidates if not candidate.is_null), null)
    return null if null.logit - best.logit > null_threshold else best
