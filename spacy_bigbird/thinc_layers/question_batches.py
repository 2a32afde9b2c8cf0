"""Model inputs of limited size for many questions about many documents."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, TypeAlias, cast

import numpy as np
from thinc.types import Ints1d

from ..tokenizer.encoding import TextPieces
from ..tokenizer.pairs import PairWindow
from .grouping import group_by_size
from .question_windows import QuestionTokenizer, micro_batches, pack
from .types import JoinedPieces, PackedPieces

# A key, the pieces of a question, and those of its document.
Asked: TypeAlias = tuple[Any, TextPieces, TextPieces]
# A key, and the ids of a question's input.
Question: TypeAlias = tuple[Any, np.ndarray]
# A model input, and for each of its parts in the order of the output the question's key and the window.
Batch: TypeAlias = tuple[PackedPieces | JoinedPieces, list[tuple[Any, PairWindow]]]


def batches_of_pairs(asked: Iterable[Asked], tokenizer: QuestionTokenizer, max_batch_pieces: int) -> Iterator[Batch]:
    """Put every question before every window of its document.

    asked (Iterable[Asked]): the questions.
    tokenizer (QuestionTokenizer): how to split documents.
    max_batch_pieces (int): the maximum number of pieces in a batch; one input is always allowed.
    YIELDS (Batch): the next inputs.
    """
    windows = ((key, window) for key, question, text in asked for window in tokenizer.windows(question, text))
    for group in micro_batches(windows, max_batch_pieces):
        yield pack([window for _, window in group]), group


def joined_batches(
    asked: Iterable[Asked], tokenizer: QuestionTokenizer, max_batch_pieces: int, layers: int, training: bool
) -> Iterator[Batch]:
    """Put windows of documents together with the questions about them, which the model joins in its upper layers.

    asked (Iterable[Asked]): the questions, those about a document in a row, with the same TextPieces.
    tokenizer (QuestionTokenizer): how to split documents.
    max_batch_pieces (int): limits the states that the model keeps at a time. Unit: pieces.
    layers (int): number of layers in which questions read documents, of which the model keeps the documents' states.
    training (bool): whether the model also keeps the states of all questions of a batch, until the backward pass. Then
        a window with many questions is encoded several times; in prediction, once.
    YIELDS (Batch): the next inputs.
    """

    def windows() -> Iterator[tuple[PairWindow, list[Question]]]:
        for text, of_text in groupby(asked, key=lambda one: one[2]):
            questions = [(key, tokenizer.alone(question)) for key, question, _ in of_text]
            for window in tokenizer.document_windows(text):
                for some in _parts(questions, len(window.ids) if training else None, max_batch_pieces):
                    yield window, some

    for group in group_by_size(windows(), lambda one: len(one[0].ids) * max(layers, len(one[1])), max_batch_pieces):
        questions = [ids for _, some in group for _, ids in some]
        inputs = JoinedPieces(
            documents=pack([window for window, _ in group]),
            questions=PackedPieces(cast(Ints1d, np.concatenate(questions)), [len(ids) for ids in questions]),
            asked=[number for number, (_, some) in enumerate(group) for _ in some],
        )
        yield inputs, [(key, window) for window, some in group for key, _ in some]


def _parts(questions: list[Question], size: int | None, limit: int) -> Iterator[list[Question]]:
    """Group the questions about a window, by its size or by their own."""
    return group_by_size(questions, lambda one: size or len(one[1]), limit)
