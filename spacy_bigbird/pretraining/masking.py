"""Dynamic masking: selects the pieces of a sequence to predict, and what replaces them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import sentencepiece

from ..tokenizer import BigBirdTokenizer
from ..tokenizer.processor import WORD_START
from ..tokenizer.proto import without_spellable_marks
from .settings import MaskingSettings

# In scripts without spaces, a whole sentence is one "word". Words with more pieces than this are split.
LONGEST_WORD = 16


@dataclass(frozen=True, eq=False)
class PieceTable:
    """What masking needs to know about the pieces of a vocabulary.

    mask_id, cls_id, sep_id (int): ids of the special pieces.
    is_special (ndarray): whether a piece is never masked and never replaces another. Shape: (vocab_size,).
    starts_word (ndarray): whether a piece begins a word. Shape: (vocab_size,).
    characters (ndarray): number of characters in a piece, including the space before a word. Shape: (vocab_size,).
    ordinary_ids (ndarray): ids of the pieces that are not special. Shape: (ordinary pieces,).
    """

    mask_id: int
    cls_id: int
    sep_id: int
    is_special: np.ndarray
    starts_word: np.ndarray
    characters: np.ndarray
    ordinary_ids: np.ndarray

    @classmethod
    def of(cls, tokenizer: BigBirdTokenizer) -> PieceTable:
        """Build the table of a vocabulary.

        tokenizer (BigBirdTokenizer): the vocabulary.
        RETURNS (PieceTable): the table.
        """
        processor = sentencepiece.SentencePieceProcessor()
        processor.LoadFromSerializedProto(without_spellable_marks(tokenizer.to_bytes(), tokenizer.all_special_tokens))
        ids = range(tokenizer.vocab_size)
        special = np.array([processor.is_control(i) or processor.is_unknown(i) or processor.is_unused(i) for i in ids])
        special[tokenizer.all_special_ids] = True
        pieces = [tokenizer.convert_ids_to_tokens(index) for index in ids]
        lengths = [1 if processor.is_byte(index) else len(pieces[index]) for index in ids]
        return cls(
            mask_id=tokenizer.mask_token_id,
            cls_id=tokenizer.cls_token_id,
            sep_id=tokenizer.sep_token_id,
            is_special=special,
            starts_word=np.array([piece.startswith(WORD_START) for piece in pieces]),
            characters=np.where(special, 0, lengths).astype(np.int64),
            ordinary_ids=np.flatnonzero(~special),
        )


@dataclass(frozen=True, eq=False)
class MaskedPieces:
    """A sequence with pieces to predict.

    ids (ndarray): the ids that the model sees. Shape: (pieces,).
    places (ndarray): positions of the pieces to predict, ascending. Shape: (masked,).
    labels (ndarray): the correct ids at these positions. Shape: (masked,).
    """

    ids: np.ndarray
    places: np.ndarray
    labels: np.ndarray


def generator_of(*key: int) -> np.random.Generator:
    """Create a random generator that depends on its key alone, wherever and whenever it is created.

    *key (int): what identifies the use, such as the seed, the epoch and the position in the corpus.
    RETURNS (Generator): the generator.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))


def mask_pieces(
    ids: np.ndarray, table: PieceTable, settings: MaskingSettings, generator: np.random.Generator
) -> MaskedPieces:
    """Select pieces to predict and hide them.

    By default, 80% of the selected pieces are replaced by [MASK] and 10% by another piece, and 10% are kept (BERT,
    Devlin et al. 2019, section 3.1). Special pieces are never selected.

    ids (ndarray): a sequence, not modified. Shape: (pieces,).
    table (PieceTable): the vocabulary.
    settings (MaskingSettings): how many pieces to mask, and how they are grouped.
    generator (Generator): source of randomness.
    RETURNS (MaskedPieces): the sequence, with at least one piece to predict unless all of its pieces are special.
    """
    candidates = np.flatnonzero(~table.is_special[ids])
    if not len(candidates):
        return MaskedPieces(ids.copy(), candidates, ids[candidates])
    groups = _groups(ids, candidates, table, settings, generator)
    sizes = np.bincount(groups)
    order = generator.permutation(len(sizes))
    # Groups are taken in random order until the budget is used up. The group that crosses it is taken with the
    # probability that makes the expected number of masked pieces equal to the budget.
    left = settings.rate * len(candidates) - (np.cumsum(sizes[order]) - sizes[order])
    is_taken = generator.random(len(order)) < left / sizes[order]
    is_taken[0] |= not is_taken.any()
    is_chosen = np.zeros(len(sizes), dtype=bool)
    is_chosen[order[is_taken]] = True
    places = candidates[is_chosen[groups]]
    # A span is replaced as a whole; otherwise each piece is drawn independently.
    draws = generator.random(len(sizes))[groups[is_chosen[groups]]] if settings.spans else generator.random(len(places))
    hidden = ids.copy()
    hidden[places[draws < settings.mask_share]] = table.mask_id
    replaced = places[(draws >= settings.mask_share) & (draws < settings.mask_share + settings.random_share)]
    hidden[replaced] = generator.choice(table.ordinary_ids, size=len(replaced))
    return MaskedPieces(hidden, places, ids[places])


def _groups(
    ids: np.ndarray,
    candidates: np.ndarray,
    table: PieceTable,
    settings: MaskingSettings,
    generator: np.random.Generator,
) -> np.ndarray:
    """Assign each candidate to a group, to be masked as a whole. Groups are numbered 0, 1, 2 ... from left to right."""
    numbers = np.arange(len(candidates))
    if not (settings.whole_words or settings.spans):
        return numbers
    follows_special = np.diff(candidates, prepend=-2) > 1
    starts_unit = np.ones(len(candidates), dtype=bool)
    if settings.whole_words:
        starts_unit = table.starts_word[ids[candidates]] | follows_special
        place_in_word = numbers - np.maximum.accumulate(np.where(starts_unit, numbers, 0))
        starts_unit |= place_in_word % LONGEST_WORD == 0
    units = np.cumsum(starts_unit) - 1
    if not settings.spans:
        return units
    # The sequence is divided into spans of random lengths. No span extends across a special piece.
    lengths = generator.geometric(1 / settings.span_length, size=units[-1] + 1).clip(max=settings.longest_span)
    ends = np.cumsum(lengths)
    starts_span = follows_special[starts_unit].copy()
    starts_span[ends[ends < len(starts_span)]] = True
    return (np.cumsum(starts_span) - 1)[units]
