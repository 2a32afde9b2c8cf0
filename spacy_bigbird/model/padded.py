"""Conversion between padded batches, which users of the PyTorch models pass and receive, and the pieces in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..errors import Errors
from ..plan.config import BigBirdConfig
from ..plan.packing import Packing, plan_packing
from .cpu.device import on_cpu


@dataclass(frozen=True)
class PaddedBatch:
    """The positions of a padded batch that have pieces. Padding never reaches a layer, and is zero in every output.

    shape (tuple[int, int]): number of rows and of columns.
    mask (Tensor | None): True for pieces; None if there is no padding. Shape: (batch, seq).
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
        """Check a model's inputs and describe their batch.

        input_ids (Tensor | None): ids of the pieces. Shape: (batch, seq).
        inputs_embeds (Tensor | None): word embeddings, instead of ids. Shape: (batch, seq, hidden_size).
        attention_mask (Tensor | None): 1 for pieces, 0 for padding; None for no padding. Shape: (batch, seq).
        config (BigBirdConfig): configuration with the longest sequence and the size of the vocabulary.
        first_position (int): position of the first column, if the positions before it are in a cache.
        RETURNS (PaddedBatch): the batch.
        RAISES ValueError: both or neither of ids and embeddings are given, a shape is wrong, an id is not in the
            vocabulary, or there are more columns than positions.
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
        """Number of pieces in each row."""
        return [self.shape[1]] * self.shape[0] if self.mask is None else self.mask.sum(1).tolist()

    def packing(self, config: BigBirdConfig) -> Packing:
        """Choose dense or sparse attention for every row.

        config (BigBirdConfig): the hyper-parameters.
        RETURNS (Packing): the packing, without empty rows.
        RAISES ValueError: a row with sparse attention has padding before or between pieces.
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
        """Take the entries that belong to pieces out of a padded tensor.

        padded (Tensor): one entry for each position. Shape: (batch or 1, seq, ...).
        RETURNS (Tensor): one entry for each piece, row after row. Shape: (pieces, ...).
        """
        full = padded.expand(*self.shape, *padded.shape[2:])
        return full.flatten(0, 1) if self.mask is None else full[self.mask]

    def pad(self, pieces: Tensor) -> Tensor:
        """Put the entries of pieces back into a padded tensor, with zeros for padding.

        pieces (Tensor): one entry for each piece, row after row. Shape: (pieces, ...).
        RETURNS (Tensor): one entry for each position. Shape: (batch, seq, ...).
        """
        if self.mask is None:
            return pieces.unflatten(0, self.shape)
        return pieces.new_zeros(*self.shape, *pieces.shape[1:]).index_put((self.mask,), pieces)

    def pad_attentions(self, attentions: list[Tensor], num_heads: int) -> Tensor:
        """Combine the attention probabilities of all rows into a padded tensor, with zeros for padding.

        attentions (list[Tensor]): probabilities of each row that is not empty. Shape: (heads, length, length) each.
        num_heads (int): number of attention heads.
        RETURNS (Tensor): probabilities of the batch. Shape: (batch, heads, seq, seq).
        """
        batch, columns = self.shape
        like = attentions[0] if attentions else torch.empty(0, device="cpu")
        padded = like.new_zeros(batch, num_heads, columns, columns)
        rows = [row for row, length in enumerate(self.lengths) if length]
        for row, probabilities in zip(rows, attentions, strict=True):
            if self.mask is None:
                places = torch.arange(columns, device=padded.device)
            else:
                places = self.mask[row].nonzero().squeeze(1)
            padded[row, :, places[:, None], places] = probabilities
        return padded


def head_factors(head_mask: Tensor | None, config: BigBirdConfig, like: Tensor) -> list[Tensor | None]:
    """Split a head mask into the factors for each layer.

    head_mask (Tensor | None): factors for the heads' outputs. Shape: (heads,) or (layers, heads).
    config (BigBirdConfig): configuration with the number of layers and heads.
    like (Tensor): a tensor with the device and dtype for the factors.
    RETURNS (list[Tensor | None]): factors for each layer, or None for each without a mask. Shape: (heads,) each.
    RAISES ValueError: the mask has another shape.
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
    """Raise a clear error for ids that are not in the vocabulary.

    Only ids on the CPU are checked, because the check would stall the queue of a GPU.

    input_ids (Tensor): ids. Shape: any.
    config (BigBirdConfig): configuration with the size of the vocabulary.
    RAISES ValueError: an id is negative, or not below the size of the vocabulary.
    """
    wrong = _outside(input_ids, config.vocab_size)
    if wrong is not None:
        raise ValueError(Errors.BB095.format(id=wrong, vocab_size=config.vocab_size))


def check_rows(name: str, values: Tensor | None, count: int) -> None:
    """Raise a clear error for indices that are not in an embedding table. Only those on the CPU are checked.

    name (str): name of the argument, for the message.
    values (Tensor | None): the indices. Shape: any.
    count (int): number of rows in the table.
    RAISES ValueError: there is no such row.
    """
    wrong = None if values is None else _outside(values, count)
    if wrong is not None:
        raise ValueError(Errors.BB103.format(name=name, given=wrong, expected=f"0 to {count - 1}"))


def _outside(values: Tensor, count: int) -> int | None:
    """Return the minimum or maximum if it is outside `range(count)`, or None if neither is or if not on the CPU."""
    if not on_cpu(values) or values.numel() == 0:
        return None
    return next((int(bound) for bound in values.aminmax() if not 0 <= bound < count), None)
