"""What the tokenizer gives back: the pieces of one text, and model inputs made of one or two of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..errors import Errors

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class TextPieces:
    """The pieces of one text, without special pieces. Compute it once and share it between pairs and windows.

    ids (ndarray): id of each piece. Shape: (pieces,). Integers of 32 bits.
    offsets (ndarray): the stretch of the text that each piece stands for, without the white space around it.
        Shape: (pieces, 2). Unit: characters.
    """

    ids: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, part: slice) -> "TextPieces":
        return TextPieces(self.ids[part], self.offsets[part])


class Encoding:
    """One model input: [CLS] text [SEP], or [CLS] text [SEP] pair [SEP].

    id_array (ndarray): what `ids` lists. Shape: (pieces,).
    offset_array (ndarray): what `offsets` lists. Shape: (pieces, 2). Unit: characters.
    second_start (int): where the second text begins, the number of pieces where there is none.
    special_rows (Sequence[int]): rows of the special pieces that were added.
    vocabulary (list[str]): string of each piece, in the order of the ids.
    """

    def __init__(
        self,
        id_array: np.ndarray,
        offset_array: np.ndarray,
        second_start: int,
        special_rows: Sequence[int],
        vocabulary: list[str],
    ) -> None:
        self.id_array = id_array
        self.offset_array = offset_array
        self._second_start = second_start
        self._special_rows = special_rows
        self._vocabulary = vocabulary

    # Lists are made when they are asked for: millions of small objects would cost more than the pieces themselves.

    @cached_property
    def ids(self) -> list[int]:
        """RETURNS (list[int]): id of each piece."""
        return self.id_array.tolist()

    @cached_property
    def pieces(self) -> list[str]:
        """RETURNS (list[str]): string of each piece in the vocabulary; an unknown one is `<unk>`."""
        return [self._vocabulary[index] for index in self.ids]

    @cached_property
    def offsets(self) -> list[tuple[int, int]]:
        """RETURNS (list[tuple[int, int]]): start and end of each piece in its own text (the second text for the second
        part), (0, 0) for added special pieces. Unit: characters."""
        starts, ends = self.offset_array.T.tolist()
        return list(zip(starts, ends, strict=True))

    @cached_property
    def token_type_ids(self) -> list[int]:
        """RETURNS (list[int]): 0 up to the first [SEP], 1 for the second text and its [SEP]."""
        return [0] * self._second_start + [1] * (len(self) - self._second_start)

    @cached_property
    def special_tokens_mask(self) -> list[int]:
        """RETURNS (list[int]): 1 for a special piece that was added, 0 for a piece of a text."""
        mask = [0] * len(self)
        for row in self._special_rows:
            mask[row] = 1
        return mask

    def __len__(self) -> int:
        return len(self.id_array)


def pad_encodings(
    encodings: Sequence[Encoding | Sequence[int]], pad_id: int, *, max_length: int | None = None, multiple: int = 1
) -> "dict[str, torch.Tensor]":
    """Put inputs of different lengths into one batch, filled up on the right.

    encodings (Sequence[Encoding | Sequence[int]]): encodings, or ids alone.
    pad_id (int): id of the padding piece.
    max_length (int | None): fill up to this length instead of the longest input's.
    multiple (int): round the length up to a multiple of this.
    RETURNS (dict[str, Tensor]): input_ids, attention_mask and token_type_ids. Shape: (batch, length).
    RAISES ValueError: an input is longer than `max_length`.
    """
    import torch  # here, because vocabularies are of use without PyTorch's seconds of loading

    rows = [list(encoding.ids if isinstance(encoding, Encoding) else encoding) for encoding in encodings]
    longest = max(map(len, rows), default=0)
    if max_length is not None and longest > max_length:
        expected = f"{longest} or more, the length of the longest input"
        raise ValueError(Errors.BB020.format(name="max_length", value=max_length, expected=expected))
    length = -(-(longest if max_length is None else max_length) // multiple) * multiple
    shape = (len(rows), length)
    input_ids = torch.full(shape, pad_id)
    attention_mask = torch.zeros(shape, dtype=torch.long)
    token_type_ids = torch.zeros(shape, dtype=torch.long)
    for number, (row, encoding) in enumerate(zip(rows, encodings, strict=True)):
        input_ids[number, : len(row)] = torch.tensor(row, dtype=torch.long)
        attention_mask[number, : len(row)] = 1
        if isinstance(encoding, Encoding):
            token_type_ids[number, : len(row)] = torch.tensor(encoding.token_type_ids, dtype=torch.long)
    return {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
