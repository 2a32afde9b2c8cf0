"""From start and end logits to answers: candidates of all windows of a document in one list, ranked by raw score."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .probabilities import softmax

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class AnswerPositions:
    """What an answer becomes that begins or ends at a piece of the context.

    start_char (Ints): where an answer that begins at the piece begins. Shape: (pieces,). Unit: characters.
    end_char (Ints): where an answer that ends at the piece ends. Shape: (pieces,). Unit: characters.
    first_token (Ints): the token in which it begins. Shape: (pieces,).
    last_token (Ints): the token in which it ends; before `first_token` where the piece can bound no answer,
        because it is white space. Shape: (pieces,).
    """

    start_char: Ints
    end_char: Ints
    first_token: Ints
    last_token: Ints


@dataclass(frozen=True)
class WindowLogits:
    """Raw scores of one window for one question.

    start (Floats): logit of each context piece to begin the answer. Shape: (pieces in the window,).
    end (Floats): logit of each context piece to end the answer. Shape: (pieces in the window,).
    null (float): start and end logit of [CLS], added.
    first_piece (int): the place of the window's first context piece among the pieces of the document.
    """

    start: Floats
    end: Floats
    null: float
    first_piece: int = 0


class Candidate(NamedTuple):
    """A possible answer: `document text[start_char:end_char]`; 0, 0 for "no answer"."""

    start_char: int
    end_char: int
    logit: float
    score: float

    @property
    def is_null(self) -> bool:
        return self.end_char == 0


def _largest(values: Floats, count: int) -> Ints:
    """Indices of the largest values that are finite, in descending order; equal values in the order of the text."""
    order = np.argsort(-values, kind="stable")[:count]
    return order[np.isfinite(values[order])]


def window_candidates(
    window: WindowLogits, positions: AnswerPositions, n_best: int, max_answer_length: int
) -> tuple[Ints, Ints, Floats]:
    """The allowed pairs of the best beginnings and the best ends of one window.

    Where none of these pairs is allowed, each of the best beginnings gets its best allowed end.

    window (WindowLogits): the raw scores.
    positions (AnswerPositions): of the whole document.
    n_best (int): how many beginnings and how many ends are tried.
    max_answer_length (int): longest answer. Unit: tokens.
    RETURNS (tuple[Ints, Ints, Floats]): first and last piece of each pair, counted in the document, and its raw score.
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
        # Tokens grow with the pieces, so the allowed ends are one stretch; white space inside it is no end.
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
    """The best answers to one question over all windows of a document, and "no answer".

    Raw scores are compared, so that windows count alike: start logit + end logit. A stretch of text found in several
    windows keeps its best score. "No answer" scores what it scores in the window that believes in it least: only if all
    windows agree there is no answer.

    windows (Sequence[WindowLogits]): the windows of the document, at least one.
    positions (AnswerPositions): what the pieces of the document mean as beginning and end of an answer.
    n_best (int): how many beginnings and ends are tried per window, and how many answers are kept beside "no answer".
    max_answer_length (int): longest answer. Unit: tokens.
    group_key (Callable[[int, int], str] | None): answers with the same key (of start and end character) are merged into
        the best one. None: only equal stretches are merged, a second mention of the same text stays.
    RETURNS (list[Candidate]): best first, with "no answer" among them; `score` is the softmax over the list.
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
    """The answer to give: "no answer" where its raw score beats the best other answer by more than the threshold.

    candidates (Sequence[Candidate]): from `search_spans`.
    null_threshold (float): infinity always answers where there is anything to answer with.
    RETURNS (Candidate): one of the candidates.
    """
    null = next(candidate for candidate in candidates if candidate.is_null)
    best = next((candidate for candidate in candidates if not candidate.is_null), null)
    return null if null.logit - best.logit > null_threshold else best
