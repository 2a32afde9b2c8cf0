"""Questions about documents longer than the model: inputs, positions of gold answers in them, and the loss."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
from thinc.types import Ints1d

from ..plan.windows import usual_overlap, window_ranges
from ..tokenizer.encoding import TextPieces
from ..tokenizer.pairs import ADDED_TO_ONE, ADDED_TO_TWO, PairWindow
from ..tokenizer.sentencepiece import BigBirdTokenizer
from ..warnings import Warnings
from .grouping import group_by_size
from .types import PackedPieces

Key = TypeVar("Key")


@dataclass(frozen=True)
class QuestionTokenizer:
    """Builds model inputs from questions and documents. A document is tokenized once for all its questions.

    tokenizer (BigBirdTokenizer): the tokenizer.
    max_length (int): maximum length of an input. Unit: pieces.
    overlap (int | None): pieces of the document that neighbouring windows share; None for an eighth of a window. It is
        reduced if a long question leaves too little room for it.
    max_question_length (int | None): maximum length of a question; None for half of an input. Unit: pieces.
    """

    tokenizer: BigBirdTokenizer
    max_length: int
    overlap: int | None = None
    max_question_length: int | None = None

    def pieces(self, texts: Iterable[str]) -> list[TextPieces]:
        """Tokenize documents.

        texts (Iterable[str]): the texts of the documents.
        RETURNS (list[TextPieces]): the pieces of each document.
        """
        return self.tokenizer.text_pieces(texts)

    def questions(self, questions: Sequence[str]) -> list[TextPieces]:
        """Tokenize questions. One that is too long, or would take more than half of an input, is cut, with a warning.

        questions (Sequence[str]): the questions.
        RETURNS (list[TextPieces]): the pieces of each question.
        """
        limit = max(1, min(self.max_length // 2, self.max_length - ADDED_TO_TWO - 1))
        limit = min(limit, self.max_question_length or limit)
        found = self.tokenizer.text_pieces(questions)
        for question, pieces in zip(questions, found, strict=True):
            if len(pieces) > limit:
                warnings.warn(
                    Warnings.BW240.format(question=question[:60], pieces=len(pieces), limit=limit), stacklevel=2
                )
        return [pieces[:limit] for pieces in found]

    def windows(self, question: TextPieces, document: TextPieces) -> list[PairWindow]:
        """Build the inputs for one question about one document.

        question (TextPieces): the question's pieces.
        document (TextPieces): the document's pieces.
        RETURNS (list[PairWindow]): windows that cover the document, each preceded by the whole question.
        """
        overlap = self.overlap
        if overlap is not None:
            room = self.max_length - len(question) - ADDED_TO_TWO
            overlap = max(0, min(overlap, room // 2 - 1))
        return self.tokenizer.windows(question, document, max_length=self.max_length, overlap=overlap)

    def document_windows(self, document: TextPieces) -> list[PairWindow]:
        """Build the inputs for a document without a question: [CLS] part [SEP], which do not depend on the questions.

        document (TextPieces): the document's pieces.
        RETURNS (list[PairWindow]): windows that cover the document.
        """
        capacity = self.max_length - ADDED_TO_ONE
        overlap = usual_overlap(capacity) if self.overlap is None else max(0, min(self.overlap, capacity // 2 - 1))
        windows = []
        for start, end in window_ranges(len(document), capacity, overlap):
            ids = self.alone(document[start:end])
            windows.append(PairWindow(ids, np.ones_like(ids), start, end, 1, document.offsets[start:end]))
        return windows

    def alone(self, pieces: TextPieces) -> np.ndarray:
        """Build the input for one text alone, [CLS] text [SEP].

        pieces (TextPieces): the text's pieces.
        RETURNS (ndarray): ids of the input. Shape: (pieces + 2,).
        """
        ends = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id
        return np.concatenate((ends[:1], pieces.ids, ends[1:])).astype(np.int32)


def pack(windows: Sequence[PairWindow]) -> PackedPieces:
    """Concatenate inputs in the form that the encoder takes.

    windows (Sequence[PairWindow]): the inputs, at least one.
    RETURNS (PackedPieces): the inputs, back to back.
    """
    return PackedPieces(
        ids=cast(Ints1d, np.concatenate([window.ids for window in windows])),
        lengths=[len(window.ids) for window in windows],
        token_type_ids=cast(Ints1d, np.concatenate([window.token_type_ids for window in windows])),
    )


def micro_batches(
    items: Iterable[tuple[Key, PairWindow]], max_batch_pieces: int
) -> Iterator[list[tuple[Key, PairWindow]]]:
    """Group inputs so that the model never gets more pieces at a time than allowed. See `group_by_size`.

    items (Iterable[tuple[Key, PairWindow]]): the inputs, each with a key.
    max_batch_pieces (int): the maximum number of pieces in a group; one input is always allowed.
    YIELDS (list[tuple[Key, PairWindow]]): the next group.
    """
    return group_by_size(items, lambda item: len(item[1].ids), max_batch_pieces)


def gold_pieces(spans: Iterable[tuple[int, int]], pieces: TextPieces) -> list[tuple[int, int]]:
    """Find the first and last piece of each gold answer.

    spans (Iterable[tuple[int, int]]): start and end of each answer. Unit: characters.
    pieces (TextPieces): the document's pieces.
    RETURNS (list[tuple[int, int]]): first and last piece, both inclusive; answers without any piece are omitted.
    """
    found = []
    for start, end in spans:
        first = int(np.searchsorted(pieces.offsets[:, 1], start, side="right"))
        last = int(np.searchsorted(pieces.offsets[:, 0], end, side="left")) - 1
        if first <= last:
            found.append((first, last))
    return found


def window_span_loss(
    logits: np.ndarray, window: PairWindow, answers: Sequence[tuple[int, int]]
) -> tuple[float, np.ndarray]:
    """Compute the cross-entropy of start and end over [CLS] and the context of one window, and its gradient.

    All answers that are entirely within the window are correct, and their probabilities are summed. If there are none,
    [CLS] is correct: the answer is not in this window.

    logits (ndarray): start and end logit of each piece. Shape: (pieces, 2).
    window (PairWindow): the input.
    answers (Sequence[tuple[int, int]]): first and last piece of each gold answer, counted from the document's start.
    RETURNS (tuple[float, ndarray]): mean of the two cross-entropies, and its gradient. Shape: (pieces, 2).
    """
    inside = [(a, b) for a, b in answers if window.start <= a and b < window.end]
    competing = np.zeros((len(logits), 1), dtype=bool)
    competing[0] = competing[window.first_row : window.first_row + window.end - window.start] = True
    right = np.zeros_like(logits, dtype=bool)
    for column in (0, 1):
        right[[pair[column] - window.start + window.first_row for pair in inside] or [0], column] = True
    scores = np.where(competing, logits.astype(np.float64), -np.inf)
    scores = scores - scores.max(axis=0)
    weights = np.exp(scores)
    probabilities = weights / weights.sum(axis=0)
    best_right = np.where(right, scores, -np.inf).max(axis=0)
    right_weights = np.exp(np.where(right, scores - best_right, -np.inf))
    loss = np.log(weights.sum(axis=0)) - np.log(right_weights.sum(axis=0)) - best_right
    gradient = (probabilities - right_weights / right_weights.sum(axis=0)) / 2
    return float(loss.mean()), gradient.astype(np.float32)
