"""The interface to the sentencepiece package: loading, encoding with character offsets, decoding."""

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import sentencepiece

from ..errors import Errors
from .added import AddedToken, Stretches, extended
from .encoding import TextPieces
from .proto import without_spellable_marks

_SAMPLING = {"enable_sampling", "nbest_size", "alpha"}
# SentencePiece returns offsets as tuples. With few of them at a time, Python's garbage collector stays out of the way.
_TEXTS_AT_ONCE = 16
WORD_START = "\u2581"
_NO_IDS, _NO_OFFSETS = np.zeros(0, dtype=np.int32), np.zeros((0, 2), dtype=np.int32)
_IS_SPACE = np.array([chr(code).isspace() for code in range(0x3001)])


class Processor:
    """A SentencePiece model whose special pieces no text can spell, unless that is requested.

    model (bytes): the content of a spiece.model.
    marks (Sequence[str]): special pieces.
    settings (dict[str, Any]): SentencePiece's `enable_sampling`, `nbest_size` and `alpha`.
    added (Sequence[AddedToken]): tokens that were added to the vocabulary.
    source (str): where the model comes from, for error messages.
    RAISES ValueError: there is an unknown setting, or the bytes are not a SentencePiece model.
    """

    def __init__(
        self, model: bytes, marks: Sequence[str], settings: dict[str, Any], added: Sequence[AddedToken], source: str
    ) -> None:
        unknown = sorted(set(settings) - _SAMPLING)
        if unknown:
            expected = "enable_sampling, nbest_size and alpha"
            raise ValueError(Errors.BB020.format(name="sp_model_kwargs", value=unknown, expected=expected))
        self.model = model
        self._settings = settings
        self._source = source
        try:
            changed = without_spellable_marks(model, marks)
        except ValueError as error:
            raise ValueError(Errors.BB027.format(source=source, reason=error)) from error
        self._plain = self._load(changed)
        if changed is model:
            self.__dict__["_spelling"] = self._plain
        # sentencepiece 0.2.1 and older return character offsets in another format.
        self._offsets_as_lists = hasattr(self._plain, "EncodeAsOffsetMapping")
        self.pieces: list[str] = self._plain.id_to_piece(list(range(self._plain.vocab_size())))
        bare = [piece.strip(WORD_START) for piece in self.pieces]
        self._is_blank = np.array([not piece for piece in bare], dtype=bool)
        self._starts_word = np.array([piece.startswith(WORD_START) for piece in self.pieces], dtype=bool)
        of_marks = {piece: number for number, piece in enumerate(self.pieces) if piece in marks}
        # transformers' fast tokenizers list the vocabulary's control pieces among the added tokens: nothing was added.
        self.added = [token for token in added if not self._is_control(token)]
        of_added = {token.content: token.id for token in self.added}
        self.pieces = extended(self.pieces, self.added, source)
        self._stretches = {
            False: Stretches(of_added, self.added),
            True: Stretches({**of_marks, **of_added}, self.added),
        }

    def _is_control(self, token: AddedToken) -> bool:
        is_piece = token.id < len(self.pieces) and self.pieces[token.id] == token.content
        return is_piece and self._plain.is_control(token.id)

    @cached_property
    def _spelling(self) -> sentencepiece.SentencePieceProcessor:
        """The unchanged model, in which a text can spell the special pieces."""
        return self._load(self.model)

    def _load(self, model: bytes) -> sentencepiece.SentencePieceProcessor:
        processor = sentencepiece.SentencePieceProcessor(**self._settings)
        try:
            if not model or not processor.LoadFromSerializedProto(model):
                raise ValueError(Errors.BB027.format(source=self._source, reason="it is empty"))
        except RuntimeError as error:
            raise ValueError(Errors.BB027.format(source=self._source, reason=error)) from error
        return processor

    def encode(self, texts: list[str], num_threads: int, *, spell_marks: bool = False) -> list[TextPieces]:
        """Encode texts.

        texts (list[str]): the texts.
        num_threads (int): number of threads; -1 for one per core.
        spell_marks (bool): whether texts can spell special pieces.
        RETURNS (list[TextPieces]): ids and character offsets of each text's pieces.
        """
        processor = self._spelling if spell_marks else self._plain
        pieces = []
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            part = texts[start : start + _TEXTS_AT_ONCE]
            for text, (ids, offsets) in zip(part, self._ids_and_offsets(processor, part, num_threads), strict=True):
                array = np.fromiter(ids, dtype=np.int32, count=len(ids))
                spans = np.fromiter(chain.from_iterable(offsets), dtype=np.int32, count=2 * len(ids)).reshape(-1, 2)
                pieces.append(TextPieces(array, self._visible_spans(text, array, spans)))
        return pieces

    def _ids_and_offsets(
        self, processor: sentencepiece.SentencePieceProcessor, texts: list[str], num_threads: int
    ) -> list[tuple[list[int], list[tuple[int, int]]]]:
        if self._offsets_as_lists:
            found = processor.encode(texts, out_type="offset_mapping", num_threads=num_threads)
            return [(one["ids"], one["offsets"]) for one in found]
        older: Any = processor
        found = older.encode(texts, out_type="immutable_proto", num_threads=num_threads)
        return [
            ([piece.id for piece in one.pieces], [(piece.begin, piece.end) for piece in one.pieces]) for one in found
        ]

    def encode_around(
        self, texts: list[str], num_threads: int, prepare: Callable[[str], str], *, spell_marks: bool
    ) -> list[TextPieces]:
        """Encode texts in which added tokens are recognized. The stretches between them are encoded separately.

        texts (list[str]): the texts.
        num_threads (int): number of threads; -1 for one per core.
        prepare (Callable[[str], str]): changes the characters of a stretch, but not their number.
        spell_marks (bool): whether special pieces are recognized, too.
        RETURNS (list[TextPieces]): ids and character offsets of each text's pieces.
        """
        cut = [list(self._stretches[spell_marks].of(text)) for text in texts]
        between = [
            prepare(text[start:end])
            for text, stretches in zip(texts, cut, strict=True)
            for start, end, token in stretches
            if token is None
        ]
        encoded = iter(self.encode(between, num_threads, spell_marks=spell_marks))
        result = []
        for stretches in cut:
            ids, offsets = [_NO_IDS], [_NO_OFFSETS]
            for start, end, token in stretches:
                if token is None:
                    pieces = next(encoded)
                    ids.append(pieces.ids)
                    offsets.append(pieces.offsets + np.int32(start))
                else:
                    ids.append(np.array([token], dtype=np.int32))
                    offsets.append(np.array([[start, end]], dtype=np.int32))
            result.append(TextPieces(np.concatenate(ids), np.concatenate(offsets)))
        return result

    def encode_ids(self, texts: list[str], num_threads: int) -> list[np.ndarray]:
        """Encode texts without character offsets.

        texts (list[str]): the texts.
        num_threads (int): number of threads; -1 for one per core.
        RETURNS (list[ndarray]): ids of each text's pieces. Shape: (pieces,) each.
        """
        if not texts:
            return []
        if self._offsets_as_lists:
            return self._plain.encode(texts, out_type="numpy", num_threads=num_threads)
        return [np.array(ids, dtype=np.int32) for ids in self._plain.encode(texts, num_threads=num_threads)]

    def decode(self, pieces: list[str]) -> str:
        """Decode pieces.

        pieces (list[str]): strings of the pieces.
        RETURNS (str): the text that they spell.
        """
        return self._spelling.decode(pieces)

    def _visible_spans(self, text: str, ids: np.ndarray, spans: np.ndarray) -> np.ndarray:
        """Trim white space off SentencePiece's spans, which begin at the space before a word.

        If the normaliser expands one character (a ligature, a fraction) to several pieces, all of them get that
        character, which SentencePiece assigns only to the last one. A span with nothing but white space is left as is.
        """
        codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
        visible = np.flatnonzero(~_IS_SPACE[np.minimum(codes, len(_IS_SPACE) - 1)] | (codes >= len(_IS_SPACE)))
        if not len(visible):
            return spans
        begins, ends = spans[:, 0], spans[:, 1]
        # The first visible character at or after a span's begin, and the last one before its end.
        following = np.append(visible, len(text))[np.searchsorted(visible, begins)]
        preceding = visible[np.maximum(np.searchsorted(visible, ends) - 1, 0)]
        has_visible = following < ends
        split = ~has_visible & (following == ends) & (ends < len(text)) & ~self._is_blank[ids]
        split &= (begins == ends) | self._starts_word[ids]
        trimmed = np.empty_like(spans)
        trimmed[:, 0] = np.where(has_visible | split, following, begins)
        trimmed[:, 1] = np.where(has_visible, preceding + 1, np.where(split, following + 1, ends))
        # A bare word-start mark within such a character must not start or end before the preceding piece does.
        return np.maximum.accumulate(trimmed, axis=0) if split.any() else trimmed
