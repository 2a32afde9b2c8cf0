"""Padded batches, as users of the PyTorch level give and take them, and the pieces inside."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..errors import Errors
from .attention.packing import Packing, plan_packing
from .config import BigBirdConfig


@dataclass(frozen=True)
class PaddedBatch:
    """Which places of a padded batch hold pieces. The others never reach a layer, and are zero in every output.

    shape (tuple[int, int]): batch and columns.
    mask (Tensor | None): True where there is a piece; None means everywhere. Shape: (batch, seq).
    """

    shape: tuple[int, int]
    mask: Tensor | None

    @classmethod
    def of(
        cls,
        input_ids: Tensor | None,
        inputs_embeds: Tensor | None,
        attention_mask: Tensor | None,
        config: BigBirdConfig,
        first_position: int = 0,
    ) -> PaddedBatch:
        """Check what a model was called with.

        input_ids (Tensor | None): ids of the pieces. Shape: (batch, seq).
        inputs_embeds (Tensor | None): given in place of the ids. Shape: (batch, seq, hidden_size).
        attention_mask (Tensor | None): 1 for pieces, 0 for padding. Shape: (batch, seq).
        config (BigBirdConfig): gives the longest sequence and the size of the vocabulary.
        first_position (int): position of the first column, where a cache holds those before it.
        RETURNS (PaddedBatch): the batch.
        RAISES ValueError: both or none of ids and embeddings, wrong shapes, ids outside of the vocabulary, or more
            columns than positions.
        """
        given = inputs_embeds if input_ids is None else input_ids
        if given is None or (input_ids is not None and inputs_embeds is not None):
            raise ValueError(Errors.BB090.format(given="neither" if given is None else "both"))
        if given.dim() != (2 if input_ids is not None else 3):
            raise ValueError(Errors.BB091.format(shape=tuple(given.shape)))
        batch, columns = given.shape[:2]
        if columns == 0:
            raise ValueError(Errors.BB091.format(shape=tuple(given.shape)))
        if first_position + columns > config.max_position_embeddings:
            raise ValueError(Errors.BB092.format(length=first_position + columns, limit=config.max_position_embeddings))
        if input_ids is not None:
            check_ids(input_ids, config)
        if attention_mask is not None and attention_mask.shape != (batch, columns):
            raise ValueError(Errors.BB093.format(mask=tuple(attention_mask.shape), batch=batch, columns=columns))
        if attention_mask is None or bool(attention_mask.all()):
            return cls((batch, columns), None)
        return cls((batch, columns), attention_mask.bool())

    @cached_property
    def lengths(self) -> list[int]:
        """Pieces of each row."""
        return [self.shape[1]] * self.shape[0] if self.mask is None else self.mask.sum(1).tolist()

    def packing(self, config: BigBirdConfig) -> Packing:
        """Plan the attention of every row.

        config (BigBirdConfig): gives the rule.
        RETURNS (Packing): the plan, empty rows left out.
        RAISES ValueError: for a row that would be sparse but is not padded on the right alone.
        """
        packing = plan_packing([n for n in self.lengths if n], config, padded_length=self.shape[1])
        if self.mask is not None and any(packing.pattern_blocks):
            columns = torch.arange(self.shape[1], device=self.mask.device)
            right_padded = (self.mask == (columns < self.mask.sum(1, keepdim=True))).all(1).tolist()
            rows = [row for row, length in enumerate(self.lengths) if length]
            for row, blocks in zip(rows, packing.pattern_blocks, strict=True):
                if blocks and not right_padded[row]:
                    raise ValueError(Errors.BB094.format(row=row, length=self.lengths[row]))
        return packing

    def pieces(self, padded: Tensor) -> Tensor:
        """padded (Tensor): Shape: (batch or 1, seq, ...).
        RETURNS (Tensor): the entries that belong to pieces, row after row. Shape: (pieces, ...).
        """
        full = padded.expand(*self.shape, *padded.shape[2:])
        return full.flatten(0, 1) if self.mask is None else full[self.mask]

    def pad(self, pieces: Tensor) -> Tensor:
        """Undo `pieces`; padding becomes zero.

        pieces (Tensor): Shape: (pieces, ...).
        RETURNS (Tensor): Shape: (batch, seq, ...).
        """
        if self.mask is None:
            return pieces.unflatten(0, self.shape)
        return pieces.new_zeros(*self.shape, *pieces.shape[1:]).index_put((self.mask,), pieces)

    def pad_attentions(self, attentions: list[Tensor], num_heads: int) -> Tensor:
        """attentions (list[Tensor]): of each row that is not empty. Shape: (heads, length, length) each.
        num_heads (int): attention heads.
        RETURNS (Tensor): Shape: (batch, heads, seq, seq).
        """
        batch, columns = self.shape
        like = attentions[0] if attentions else torch.empty(0)
        padded = like.new_zeros(batch, num_heads, columns, columns)
        rows = [row for row, length in enumerate(self.lengths) if length]
        for row, probabilities in zip(rows, attentions, strict=True):
            places = torch.arange(columns) if self.mask is None else self.mask[row].nonzero().squeeze(1)
            padded[row, :, places[:, None], places] = probabilities
        return padded


def head_factors(head_mask: Tensor | None, config: BigBirdConfig, like: Tensor) -> list[Tensor | None]:
    """A factor for each head's output, layer by layer.

    head_mask (Tensor | None): Shape: (heads,) or (layers, heads).
    config (BigBirdConfig): gives the numbers of layers and heads.
    like (Tensor): gives device and type.
    RETURNS (list[Tensor | None]): of each layer. Shape: (heads,) each.
    RAISES ValueError: for another shape.
    """
    layers, heads = config.num_hidden_layers, config.num_attention_heads
    if head_mask is None:
        return [None] * layers
    factors = torch.as_tensor(head_mask)
    if factors.shape not in ((heads,), (layers, heads)):
        expected = f"({heads},) for all layers alike, or ({layers}, {heads})"
        raise ValueError(Errors.BB103.format(name="head_mask", given=tuple(factors.shape), expected=expected))
    return list(factors.to(like).expand(layers, heads))


def check_ids(input_ids: Tensor, config: BigBirdConfig) -> None:
    """Say it well when an id is none of the vocabulary's. On a GPU it would stall the queue, so it is not checked.

    input_ids (Tensor): ids. Shape: any.
    config (BigBirdConfig): gives the size of the vocabulary.
    RAISES ValueError: for an id below zero or past the vocabulary.
    """
    wrong = _outside(input_ids, config.vocab_size)
    if wrong is not None:
        raise ValueError(Errors.BB095.format(id=wrong, vocab_size=config.vocab_size))


def check_rows(name: str, values: Tensor | None, count: int) -> None:
    """The same for the other embeddings.

    name (str): of the argument.
    values (Tensor | None): what was given. Shape: any.
    count (int): rows of the table that they choose from.
    RAISES ValueError: there is no such row.
    """
    wrong = None if values is None else _outside(values, count)
    if wrong is not None:
        raise ValueError(Errors.BB103.format(name=name, given=wrong, expected=f"0 to {count - 1}"))


def _outside(values: Tensor, count: int) -> int | None:
    """The first bound of some numbers that is not in 0 to below `count`."""
    if values.device.type != "cpu" or values.numel() == 0:
        return None
    return next((int(bound) for bound in values.aminmax() if not 0 <= bound < count), None)
