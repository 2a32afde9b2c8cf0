"""Dynamic masking: which pieces of a sequence are to be guessed, and what stands in their place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import sentencepiece

from ..tokenizer import BigBirdTokenizer
from ..tokenizer.processor import WORD_START
from ..tokenizer.proto import without_spellable_marks
from .pretraining_settings import MaskingSettings

# Scripts without spaces make "words" of whole sentences; longer ones than this are cut.
LONGEST_WORD = 16


@dataclass(frozen=True, eq=False)
class PieceTable:
    """What masking needs to know about the pieces of a vocabulary.

    mask_id, cls_id, sep_id (int): ids of the special pieces.
    is_special (ndarray): pieces that are never masked and never stand for another. Shape: (vocab_size,).
    starts_word (ndarray): pieces with which a word begins. Shape: (vocab_size,).
    characters (ndarray): characters that a piece spells, the space before a word included. Shape: (vocab_size,).
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
        """tokenizer (BigBirdTokenizer): the vocabulary.
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
    """A sequence with pieces to guess.

    ids (ndarray): what the model sees. Shape: (pieces,).
    places (ndarray): where pieces are to be guessed, ascending. Shape: (masked,).
    labels (ndarray): the right ids there. Shape: (masked,).
    """

    ids: np.ndarray
    places: np.ndarray
    labels: np.ndarray


def generator_of(*key: int) -> np.random.Generator:
    """A random generator of its own for every sample, wherever and whenever the sample is made.

    *key (int): the seed, the epoch and where in the corpus the sample begins.
    RETURNS (Generator): the generator.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))


def mask_pieces(
    ids: np.ndarray, table: PieceTable, settings: MaskingSettings, generator: np.random.Generator
) -> MaskedPieces:
    """Choose pieces to guess and hide them. With the default settings [MASK] takes the place of 80 % of them, another
    piece that of 10 %, and 10 % stay (BERT, Devlin et al. 2019, section 3.1). Special pieces are left alone.

    ids (ndarray): a sequence; not changed. Shape: (pieces,).
    table (PieceTable): the vocabulary.
    settings (MaskingSettings): how much, and in which groups.
    generator (Generator): decides.
    RETURNS (MaskedPieces): the sequence with at least one piece to guess, where it has one that is not special.
    """
    candidates = np.flatnonzero(~table.is_special[ids])
    if not len(candidates):
        return MaskedPieces(ids.copy(), candidates, ids[candidates])
    groups = _groups(ids, candidates, table, settings, generator)
    sizes = np.bincount(groups)
    order = generator.permutation(len(sizes))
    # Groups are taken in random order until the budget is used up. The one that crosses it is taken with the
    # probability that makes the expected number of masked pieces the budget exactly.
    left = settings.rate * len(candidates) - (np.cumsum(sizes[order]) - sizes[order])
    is_taken = generator.random(len(order)) < left / sizes[order]
    is_taken[0] |= not is_taken.any()
    is_chosen = np.zeros(len(sizes), dtype=bool)
    is_chosen[order[is_taken]] = True
    places = candidates[is_chosen[groups]]
    # A span is replaced in one way as a whole; other pieces each for itself.
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
    """The group of each candidate; groups are masked as a whole. Numbered 0, 1, 2 ... from left to right."""
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
    # The sequence is cut into spans of random lengths from start to end; none goes on behind a special piece.
    lengths = generator.geometric(1 / settings.span_length, size=units[-1] + 1).clip(max=settings.longest_span)
    ends = np.cumsum(lengths)
    starts_span = follows_special[starts_unit].copy()
    starts_span[ends[ends < len(starts_span)]] = True
    return (np.cumsum(starts_span) - 1)[units]
