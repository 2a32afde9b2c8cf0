"""What the tokenizer returns: the pieces of a text, and model inputs made from those of one or two texts."""

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
    """The pieces of one text, without special pieces. Compute them once and share them between pairs and windows.

    ids (ndarray): id of each piece. Shape: (pieces,). Type: int32.
    offsets (ndarray): start and end of the characters that each piece stands for, without surrounding white space.
        Shape: (pieces, 2). Type: int32. Unit: characters.
    """

    ids: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, part: slice) -> "TextPieces":
        return TextPieces(self.ids[part], self.offsets[part])


class Encoding:
    """One model input: [CLS] text [SEP], or [CLS] text [SEP] pair [SEP].

    id_array (ndarray): `ids` as an array. Shape: (pieces,).
    offset_array (ndarray): `offsets` as an array. Shape: (pieces, 2). Unit: characters.
    second_start (int): index of the second text's first piece, or the number of pieces if there is no second text.
    special_rows (Sequence[int]): indices of the special pieces that were added.
    vocabulary (list[str]): string of each piece of the vocabulary, in the order of their ids.
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

    # Lists are created on first access: millions of small objects would cost more than the pieces themselves.

    @cached_property
    def ids(self) -> list[int]:
        """Ids of the pieces.

        RETURNS (list[int]): id of each piece.
        """
        return self.id_array.tolist()

    @cached_property
    def pieces(self) -> list[str]:
        """Strings of the pieces.

        RETURNS (list[str]): string of each piece, as in the vocabulary; that of the unknown piece for an unknown one.
        """
        return [self._vocabulary[index] for index in self.ids]

    @cached_property
    def offsets(self) -> list[tuple[int, int]]:
        """Character offsets of the pieces.

        RETURNS (list[tuple[int, int]]): start and end of each piece in its own text (for the second part, the second
            text), and (0, 0) for special pieces that were added. Unit: characters.
        """
        starts, ends = self.offset_array.T.tolist()
        return list(zip(starts, ends, strict=True))

    @cached_property
    def token_type_ids(self) -> list[int]:
        """Token types of the pieces.

        RETURNS (list[int]): 0 up to and including the first [SEP], 1 for the second text and its [SEP].
        """
        return [0] * self._second_start + [1] * (len(self) - self._second_start)

    @cached_property
    def special_tokens_mask(self) -> list[int]:
        """Mask of the special pieces.

        RETURNS (list[int]): 1 for a special piece that was added, 0 for a piece of a text.
        """
        mask = [0] * len(self)
        for row in self._special_rows:
            mask[row] = 1
        return mask

    def __len__(self) -> int:
        return len(self.id_array)


def pad_encodings(
    encodings: Sequence[Encoding | Sequence[int]], pad_id: int, *, max_length: int | None = None, multiple: int = 1
) -> "dict[str, torch.Tensor]":
    """Combine inputs of different lengths into one batch, padded on the right.

    encodings (Sequence[Encoding | Sequence[int]]): encodings, or only ids, which get token type 0.
    pad_id (int): id of the padding piece.
    max_length (int | None): pad to this length instead of the longest input's. Unit: pieces.
    multiple (int): round the length up to a multiple of this number. Unit: pieces.
    RETURNS (dict[str, Tensor]): input_ids, attention_mask and token_type_ids. Shape: (batch, length) each.
    RAISES ValueError: an input is longer than `max_length`.
    """
    import torch  # imported here, because a vocabulary is useful without PyTorch, which takes seconds to load

    rows = [list(encoding.ids if isinstance(encoding, Encoding) else encoding) for encoding in encodings]
    longest = max(map(len, rows), default=0)
    if max_length is not None and longest > max_length:
        expected = f"{longest} or more, the length of the longest input"
        raise ValueError(Errors.BB020.format(name="max_length", value=max_length, expected=expected))
    length = -(-(longest if max_length is None else max_length) // multiple) * multiple
    shape = (len(rows), length)
    input_ids = torch.full(shape, pad_id, device="cpu")
    attention_mask, token_type_ids = torch.zeros((2, *shape), dtype=torch.long, device="cpu")
    for number, (row, encoding) in enumerate(zip(rows, encodings, strict=True)):
        input_ids[number, : len(row)] = torch.as_tensor(row, dtype=torch.long, device="cpu")
        attention_mask[number, : len(row)] = 1
        if isinstance(encoding, Encoding):
            token_type_ids[number, : len(row)] = torch.as_tensor(
                encoding.token_type_ids, dtype=torch.long, device="cpu"
            )
    return {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
