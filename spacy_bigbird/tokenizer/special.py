"""Special pieces: their ids, their positions in an input, and the vocabulary as a dictionary."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

import numpy as np

from ..errors import Errors
from .added import AddedToken
from .encoding import Encoding, TextPieces, pad_encodings
from .pairs import ADDED_TO_ONE

if TYPE_CHECKING:
    import torch


class SpecialPieces:
    """The part of a tokenizer that deals with pieces and ids alone, not with texts.

    pieces (list[str]): string of each piece, in the order of their ids.
    tokens (Sequence[str]): the unknown, begin, end, padding, separator, mask and class piece.
    source (str): where the vocabulary comes from, for error messages.
    added_tokens (Sequence[AddedToken]): tokens that were added to the vocabulary, which are among `pieces`.
    RAISES ValueError: a special piece is not in the vocabulary.
    """

    def __init__(
        self, pieces: list[str], tokens: Sequence[str], source: str, added_tokens: Sequence[AddedToken] = ()
    ) -> None:
        self._pieces = pieces
        self._ids = {piece: index for index, piece in enumerate(pieces)}
        self.added_tokens = tuple(added_tokens)
        self._tokens = tuple(tokens)
        missing = [token for token in tokens if token not in self._ids]
        if missing:
            raise ValueError(Errors.BB026.format(missing=", ".join(missing), source=source))
        self.unk_token, self.bos_token, self.eos_token, self.pad_token = self._tokens[:4]
        self.sep_token, self.mask_token, self.cls_token = self._tokens[4:]
        ids = [self._ids[token] for token in self._tokens]
        self.unk_token_id, self.bos_token_id, self.eos_token_id, self.pad_token_id = ids[:4]
        self.sep_token_id, self.mask_token_id, self.cls_token_id = ids[4:]

    @property
    def all_special_tokens(self) -> list[str]:
        """The special pieces.

        RETURNS (list[str]): the seven special pieces and special added tokens, without duplicates.
        """
        return list(dict.fromkeys((*self._tokens, *(token.content for token in self.added_tokens if token.special))))

    @property
    def all_special_ids(self) -> list[int]:
        """Ids of the special pieces.

        RETURNS (list[int]): ids in the order of `all_special_tokens`.
        """
        return [self._ids[token] for token in self.all_special_tokens]

    @property
    def vocab_size(self) -> int:
        """Size of the vocabulary.

        RETURNS (int): number of pieces, including special ones.
        """
        return len(self._pieces)

    def __len__(self) -> int:
        return self.vocab_size

    @property
    def config_fields(self) -> dict[str, int]:
        """Fields of a model's configuration that depend on the vocabulary.

        RETURNS (dict[str, int]): values for `vocab_size` and the ids of the special pieces, by field.
        """
        roles = ("pad", "bos", "eos", "sep")
        return {
            "vocab_size": self.vocab_size,
            **{f"{role}_token_id": getattr(self, f"{role}_token_id") for role in roles},
        }

    def get_vocab(self) -> dict[str, int]:
        """Get the vocabulary as a dictionary.

        RETURNS (dict[str, int]): ids by piece, in ascending order.
        """
        return dict(self._ids)

    @overload
    def convert_tokens_to_ids(self, tokens: str) -> int: ...
    @overload
    def convert_tokens_to_ids(self, tokens: list[str] | tuple[str, ...]) -> list[int]: ...
    def convert_tokens_to_ids(self, tokens: str | list[str] | tuple[str, ...]) -> int | list[int]:
        """Convert pieces to ids.

        tokens (str | list[str] | tuple[str, ...]): one piece, or several.
        RETURNS (int | list[int]): the id or ids, with that of the unknown piece for a string that is not a piece.
        """
        if isinstance(tokens, str):
            return self._ids.get(tokens, self.unk_token_id)
        return [self._ids.get(token, self.unk_token_id) for token in tokens]

    @overload
    def convert_ids_to_tokens(self, ids: int, skip_special_tokens: bool = False) -> str: ...
    @overload
    def convert_ids_to_tokens(self, ids: Sequence[int], skip_special_tokens: bool = False) -> list[str]: ...
    def convert_ids_to_tokens(self, ids: int | Sequence[int], skip_special_tokens: bool = False) -> str | list[str]:
        """Convert ids to pieces.

        ids (int | Sequence[int]): one id, or several.
        skip_special_tokens (bool): whether to leave out special pieces. Has no effect on a single id.
        RETURNS (str | list[str]): the piece or pieces.
        RAISES ValueError: an id is not in the vocabulary.
        """
        several = [ids] if isinstance(ids, int) else [int(index) for index in ids]
        wrong = [index for index in several if not 0 <= index < len(self._pieces)]
        if wrong:
            expected = f"ids from 0 to {len(self._pieces) - 1}"
            raise ValueError(Errors.BB020.format(name="id", value=wrong[0], expected=expected))
        if isinstance(ids, int):
            return self._pieces[ids]
        skipped = set(self.all_special_ids) if skip_special_tokens else set()
        return [self._pieces[index] for index in several if index not in skipped]

    def encoding(
        self, first: TextPieces, second: TextPieces | None = None, *, add_special_tokens: bool = True
    ) -> Encoding:
        """Make a model input from pieces that have already been computed.

        first (TextPieces): pieces of the text, or of the question.
        second (TextPieces | None): pieces of the second text.
        add_special_tokens (bool): whether to add [CLS] and [SEP].
        RETURNS (Encoding): ids, pieces, character offsets and masks.
        """
        parts = [first] if second is None else [first, second]
        ids, offsets = [part.ids for part in parts], [part.offsets for part in parts]
        special_rows: list[int] = []
        second_start = len(first)
        if add_special_tokens:
            cls_id, sep_id = np.array([[self.cls_token_id], [self.sep_token_id]], dtype=np.int32)
            ids = [cls_id, *(stretch for part in ids for stretch in (part, sep_id))]
            no_characters = np.zeros((1, 2), dtype=np.int32)
            offsets = [no_characters, *(stretch for part in offsets for stretch in (part, no_characters))]
            second_start += ADDED_TO_ONE
            special_rows = [0, *(np.cumsum([len(part) + 1 for part in parts])).tolist()]
        return Encoding(np.concatenate(ids), np.concatenate(offsets), second_start, special_rows, self._pieces)

    def pad(
        self,
        encodings: Sequence[Encoding | Sequence[int]],
        *,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
    ) -> "dict[str, torch.Tensor]":
        """Combine inputs of different lengths into one batch, padded on the right.

        encodings (Sequence[Encoding | Sequence[int]]): encodings, or only ids, which get token type 0.
        max_length (int | None): pad to this length instead of the longest input's. Unit: pieces.
        pad_to_multiple_of (int | None): round the length up to a multiple of this number. Unit: pieces.
        RETURNS (dict[str, Tensor]): input_ids, attention_mask and token_type_ids. Shape: (batch, length) each.
        RAISES ValueError: an input is longer than `max_length`.
        """
        return pad_encodings(encodings, self.pad_token_id, max_length=max_length, multiple=pad_to_multiple_of or 1)

    def build_inputs_with_special_tokens(self, a: list[int], b: list[int] | None = None) -> list[int]:
        """Add the special pieces: [CLS] a [SEP], or [CLS] a [SEP] b [SEP].

        a (list[int]): ids of the text.
        b (list[int] | None): ids of the second text.
        RETURNS (list[int]): ids of the whole input.
        """
        first = [self.cls_token_id, *a, self.sep_token_id]
        return first if b is None else [*first, *b, self.sep_token_id]

    def get_special_tokens_mask(
        self, a: list[int], b: list[int] | None = None, already_has_special_tokens: bool = False
    ) -> list[int]:
        """Make a mask of the special pieces in an input.

        a (list[int]): ids of the text, or of the whole input.
        b (list[int] | None): ids of the second text.
        already_has_special_tokens (bool): whether `a` is a whole input, in which special pieces are found by their ids.
        RETURNS (list[int]): 1 for a special piece, 0 for any other.
        RAISES ValueError: `b` is given although `a` is a whole input.
        """
        if already_has_special_tokens:
            if b is not None:
                expected = "None when the first list is a whole input"
                raise ValueError(Errors.BB020.format(name="b", value=b, expected=expected))
            special = set(self.all_special_ids)
            return [int(index in special) for index in a]
        first = [1, *[0] * len(a), 1]
        return first if b is None else [*first, *[0] * len(b), 1]

    def create_token_type_ids_from_sequences(self, a: list[int], b: list[int] | None = None) -> list[int]:
        """Make the token types of an input: 0 for [CLS] a [SEP], 1 for b [SEP].

        a (list[int]): ids of the text.
        b (list[int] | None): ids of the second text.
        RETURNS (list[int]): token type of each piece of the whole input.
        """
        first = [0] * (len(a) + 2)
        return first if b is None else first + [1] * (len(b) + 1)
