"""BigBirdModel: embeddings, layers and pooler."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..errors import Errors
from ..plan.config import BigBirdConfig
from ..plan.packing import plan_packing
from .attention.api import AUTO
from .cpu.linear import Linear
from .decoder.cache import KeyValueCache
from .decoder.stack import BigBirdDecoder
from .initialization import initialize_weights
from .layers.embeddings import BigBirdEmbeddings
from .outputs import BaseModelOutput
from .packed import pack, unpack
from .padded import PaddedBatch, check_ids, check_rows
from .pretrained import PretrainedModel
from .stack import BigBirdEncoder

T = TypeVar("T")


class BigBirdModel(PretrainedModel):
    """BigBird without a head: an encoder, or with `is_decoder` a decoder, whose attention is dense and causal.

    config (BigBirdConfig): the hyper-parameters.
    add_pooling_layer (bool): whether there is a layer that computes `pooler_output` from [CLS].
    """

    base_model_prefix = ""

    def __init__(self, config: BigBirdConfig, add_pooling_layer: bool = True) -> None:
        super().__init__(config)
        self.embeddings = BigBirdEmbeddings(config)
        self.encoder = BigBirdDecoder(config) if config.is_decoder else BigBirdEncoder(config)
        self.pooler = Linear(config.hidden_size, config.hidden_size) if add_pooling_layer else None
        self._gradient_checkpointing = False
        self._attention_engine = AUTO
        initialize_weights(self, config)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        past_key_values: KeyValueCache | Sequence[Sequence[Tensor]] | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
    ) -> BaseModelOutput:
        """Encode a padded batch.

        input_ids (Tensor | None): ids of the pieces. Shape: (batch, seq).
        attention_mask (Tensor | None): 1 for pieces, 0 for padding, which must be on the right of sparse sequences.
            None for no padding. Shape: (batch, seq), or (batch, past + seq) with `past_key_values`.
        token_type_ids (Tensor | None): 0 for the first text, 1 for the second; None for 0. Shape: (batch, seq).
        position_ids (Tensor | None): positions of the pieces; None for 0, 1, 2 ... Shape: (batch, seq) or (1, seq).
        head_mask (Tensor | None): factors for the heads' outputs. Shape: (heads,) or (layers, heads).
        inputs_embeds (Tensor | None): word embeddings, instead of `input_ids`. Shape: (batch, seq, hidden_size).
        encoder_hidden_states (Tensor | None): output of an encoder, for a decoder with cross-attention.
            Shape: (batch, encoder_seq, hidden_size).
        encoder_attention_mask (Tensor | None): 1 for pieces, 0 for padding. Shape: (batch, encoder_seq).
        past_key_values (KeyValueCache | Sequence[Sequence[Tensor]] | None): a decoder's keys and values of the previous
            pieces, also as transformers' nested tuples. The inputs are the following pieces, and positions continue.
        use_cache (bool | None): whether a decoder returns its keys and values; None for the configuration's setting, or
            False in training with gradient checkpointing.
        output_attentions (bool | None): whether to return attention probabilities; None for the configuration's
            setting.
        output_hidden_states (bool | None): whether to return every layer's states; None for the configuration's
            setting.
        RETURNS (BaseModelOutput): the states. Padding is zero in all of them.
        RAISES ValueError: the inputs do not fit together or do not fit the model.
        """
        config = self.config
        output_attentions = config.output_attentions if output_attentions is None else output_attentions
        output_hidden_states = config.output_hidden_states if output_hidden_states is None else output_hidden_states
        checkpointing = self.gradient_checkpointing and self.training
        check_rows("token_type_ids", token_type_ids, config.type_vocab_size)
        check_rows("position_ids", position_ids, config.max_position_embeddings)
        if isinstance(self.encoder, BigBirdDecoder):
            past = None if past_key_values is None else KeyValueCache.of(past_key_values, config)
            embeddings = self._embed_after(past, input_ids, token_type_ids, position_ids, inputs_embeds)
            outputs = self.encoder(
                embeddings,
                attention_mask,
                head_mask,
                encoder_hidden_states,
                encoder_attention_mask,
                past,
                (config.use_cache and not checkpointing) if use_cache is None else use_cache,
                output_attentions,
                output_hidden_states,
                checkpointing,
            )
            outputs.pooler_output = self.pool(outputs.last_hidden_state[:, 0])
            return outputs
        self._refuse_decoding(
            encoder_hidden_states=encoder_hidden_states,
            encoder_attention_mask=encoder_attention_mask,
            past_key_values=past_key_values,
            use_cache=use_cache or None,
        )
        batch = PaddedBatch.of(input_ids, inputs_embeds, attention_mask, config)
        if position_ids is None:
            position_ids = torch.arange(batch.shape[1], device=self.device)[None]
        embeddings = self.embeddings(
            None if input_ids is None else batch.pieces(input_ids),
            batch.pieces(position_ids),
            None if token_type_ids is None else batch.pieces(token_type_ids),
            None if inputs_embeds is None else batch.pieces(inputs_embeds),
        )
        packing = batch.packing(config)
        states = self.encoder(
            pack(embeddings, packing),
            packing,
            head_mask,
            output_attentions,
            output_hidden_states,
            checkpointing,
        )
        last = batch.pad(unpack(states.last, packing))
        return BaseModelOutput(
            last_hidden_state=last,
            pooler_output=self.pool(last[:, 0]),
            hidden_states=_each(states.hidden_states, lambda rows: batch.pad(unpack(rows, packing))),
            attentions=_each(states.attentions, lambda rows: batch.pad_attentions(rows, config.num_attention_heads)),
        )

    def forward_packed(
        self,
        input_ids: Tensor,
        lengths: Sequence[int],
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        layers: Sequence[int] | None = None,
    ) -> Tensor:
        """Encode concatenated sequences. The states of a sequence do not depend on the others.

        input_ids (Tensor): ids of all sequences, one after another, without padding. Shape: (pieces,).
        lengths (Sequence[int]): number of pieces of each sequence.
        token_type_ids (Tensor | None): token types; None for 0. Shape: (pieces,).
        position_ids (Tensor | None): positions; None for 0, 1, 2 ... in each sequence. Shape: (pieces,).
        layers (Sequence[int] | None): the layers whose states to return, 0 for the embeddings; None for the last one.
        RETURNS (Tensor): states of these layers, side by side. Shape: (pieces, layers * hidden_size).
        RAISES ValueError: the lengths do not fit the ids or the model, an id, type, position or layer does not exist,
            or the model is a decoder.
        """
        if self.config.is_decoder:
            raise ValueError(Errors.BB104.format(given="forward_packed", needed="is_decoder=False"))
        longest = max(lengths, default=0)
        if sum(lengths) != len(input_ids) or min(lengths, default=1) < 1:
            raise ValueError(Errors.BB096.format(lengths=list(lengths)[:10], total=sum(lengths), ids=len(input_ids)))
        if longest > self.config.max_position_embeddings:
            raise ValueError(Errors.BB092.format(length=longest, limit=self.config.max_position_embeddings))
        check_ids(input_ids, self.config)
        check_rows("token_type_ids", token_type_ids, self.config.type_vocab_size)
        check_rows("position_ids", position_ids, self.config.max_position_embeddings)
        if position_ids is None:
            positions = [torch.arange(length, device="cpu") for length in lengths]
            position_ids = torch.cat(positions or [input_ids.cpu()]).to(input_ids.device)
        return self.continue_packed(self.embeddings(input_ids, position_ids, token_type_ids), lengths, 0, layers)

    def continue_packed(
        self, states: Tensor, lengths: Sequence[int], first: int, layers: Sequence[int] | None = None
    ) -> Tensor:
        """Apply the layers above one whose states are known, as `forward_packed` would.

        states (Tensor): output of layer `first` for concatenated sequences. Shape: (pieces, hidden_size).
        lengths (Sequence[int]): number of pieces of each sequence.
        first (int): the layer that `states` come from, 0 for the embeddings.
        layers (Sequence[int] | None): the layers whose states to return, none below `first`; None for the last one.
        RETURNS (Tensor): states of these layers, side by side. Shape: (pieces, layers * hidden_size).
        RAISES ValueError: a layer does not exist or is below `first`.
        """
        count = self.config.num_hidden_layers
        wanted = [count] if layers is None else list(layers)
        if not all(first <= layer <= count for layer in wanted):
            raise ValueError(
                Errors.BB103.format(name="layers", given=wanted, expected=f"numbers from {first} to {count}")
            )
        packing = plan_packing(lengths, self.config)
        hidden = self.encoder(
            pack(states, packing),
            packing,
            output_hidden_states=wanted != [count],
            gradient_checkpointing=self.gradient_checkpointing and self.training,
            first=first,
            last=max(wanted, default=first),
        )
        if hidden.hidden_states is None:
            return unpack(hidden.last, packing)
        return torch.cat([unpack(hidden.hidden_states[layer - first], packing) for layer in wanted], dim=1)

    def pool(self, cls_states: Tensor) -> Tensor | None:
        """Apply the pooling layer.

        cls_states (Tensor): the last layer's states of [CLS]. Shape: (batch, hidden_size).
        RETURNS (Tensor | None): output of the pooling layer, if there is one. Shape: (batch, hidden_size).
        """
        return None if self.pooler is None else torch.tanh(self.pooler(cls_states))

    def _embed_after(
        self,
        past: KeyValueCache | None,
        input_ids: Tensor | None,
        token_type_ids: Tensor | None,
        position_ids: Tensor | None,
        inputs_embeds: Tensor | None,
    ) -> Tensor:
        """Embed pieces that follow those in a cache.

        RETURNS (Tensor): embeddings. Shape: (batch, seq, hidden_size).
        """
        first = 0 if past is None else past.length
        columns = PaddedBatch.of(input_ids, inputs_embeds, None, self.config, first).shape[1]
        if position_ids is None:
            position_ids = torch.arange(first, first + columns, device=self.device)[None]
        return self.embeddings(input_ids, position_ids, token_type_ids, inputs_embeds)

    def _refuse_decoding(self, **arguments: Any) -> None:
        given = [name for name, value in arguments.items() if value is not None]
        if given:
            raise ValueError(Errors.BB104.format(given=", ".join(given), needed="is_decoder=True"))

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.embeddings.word_embeddings.weight.device


def _each(values: list[T] | None, convert: Callable[[T], Tensor]) -> tuple[Tensor, ...] | None:
    return None if values is None else tuple(convert(value) for value in values)
