"""Predict the next piece."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...plan.config import BigBirdConfig
from ..decoder.cache import KeyValueCache
from ..decoder.generation import Sampler, generate
from ..outputs import CausalLMOutput
from .lm_head import LanguageModel
from .losses import IGNORED, check_labels, cross_entropy
from .pieces import on_pieces, without_padding


class BigBirdForCausalLM(LanguageModel):
    """BigBird as a decoder that predicts the next piece.

    Its attention is dense and causal, whatever the `attention_type`. With `add_cross_attention`, its layers also attend
    to an encoder.

    config (BigBirdConfig): the hyper-parameters. The model is always a decoder, whatever the value of `is_decoder`.
    """

    def __init__(self, config: BigBirdConfig) -> None:
        super().__init__(config.replace(is_decoder=True))

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
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
    ) -> CausalLMOutput:
        """Score all pieces of the vocabulary as the next one at every position.

        The other arguments are those of BigBirdModel.

        labels (Tensor | None): ids of the pieces themselves, usually `input_ids`: the scores at a position are compared
            with the label at the next one. -100 and padding are ignored. Shape: (batch, seq).
        RETURNS (CausalLMOutput): the scores, the keys and values to continue from, and the loss if labels are given.
        RAISES ValueError: the labels have another shape or are not in the vocabulary, or the inputs do not fit.
        """
        outputs = self.bigbird(
            input_ids,
            attention_mask,
            token_type_ids,
            position_ids,
            head_mask,
            inputs_embeds,
            encoder_hidden_states,
            encoder_attention_mask,
            past_key_values,
            use_cache,
            output_attentions,
            output_hidden_states,
        )
        states = outputs.last_hidden_state
        mask = None if attention_mask is None else attention_mask[:, -states.shape[1] :]
        logits = on_pieces(self.lm_head, states, mask)
        loss = None
        if labels is not None:
            check_labels(labels, states.shape[:2], self.config.vocab_size)
            following = without_padding(labels, mask)[:, 1:]
            if mask is not None:
                # Padding on the left must not predict the first piece.
                following = following.masked_fill(~mask[:, :-1].bool(), IGNORED)
            loss = cross_entropy(logits[:, :-1], following)
        return CausalLMOutput(
            loss=loss,
            logits=logits,
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
            cross_attentions=outputs.cross_attentions,
        )

    def generate(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        max_new_tokens: int = 20,
        *,
        do_sample: bool = False,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        eos_token_id: int | Sequence[int] | None = None,
        pad_token_id: int | None = None,
        generator: torch.Generator | None = None,
        use_cache: bool = True,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
    ) -> Tensor:
        """Continue prompts with the most probable next pieces, or with pieces drawn at random.

        A row's continuation does not depend on the other rows, unless it is drawn. The model stays in its mode, so call
        `eval()` first.

        input_ids (Tensor): ids of the prompts, padded on the left. Shape: (batch, prompt).
        attention_mask (Tensor | None): 1 for pieces, 0 for padding; None for no padding. Shape: (batch, prompt).
        max_new_tokens (int): maximum number of new pieces.
        do_sample (bool): whether to draw pieces at random instead of taking the best ones.
        temperature (float): divisor of the scores before drawing. Below 1, probable pieces become more probable.
        top_k (int | None): draw only from this number of best pieces.
        top_p (float | None): draw only from the smallest number of best pieces whose probabilities add up to this.
        eos_token_id (int | Sequence[int] | None): id of the piece that ends a row, or several; None for the
            configuration's. Published configurations have 2, which is <s> in the published vocabulary: use the
            tokenizer's `eos_token_id` for </s>.
        pad_token_id (int | None): id that fills up a row that has ended; None for the configuration's.
        generator (torch.Generator | None): source of random numbers; None for a new one with a nondeterministic seed.
            PyTorch's global generator is never used.
        use_cache (bool): whether to keep keys and values. Otherwise, everything is recomputed for each piece.
        encoder_hidden_states (Tensor | None): output of an encoder. Shape: (batch, encoder_seq, hidden_size).
        encoder_attention_mask (Tensor | None): 1 for pieces, 0 for padding. Shape: (batch, encoder_seq).
        RETURNS (Tensor): ids of the prompts and their continuations, with up to `max_new_tokens` new pieces.
            Shape: (batch, prompt + new).
        RAISES ValueError: a setting is not allowed, a prompt is empty or padded on the right, or there would be more
            pieces than positions.
        """

        def next_logits(
            ids: Tensor, mask: Tensor, positions: Tensor, past: KeyValueCache | None
        ) -> tuple[Tensor, KeyValueCache | None]:
            outputs = self.bigbird(
                ids,
                mask,
                position_ids=positions,
                past_key_values=past,
                use_cache=use_cache,
                encoder_hidden_states=encoder_hidden_states,
                encoder_attention_mask=encoder_attention_mask,
                output_attentions=False,
                output_hidden_states=False,
            )
            return self.lm_head(outputs.last_hidden_state[:, -1]), outputs.past_key_values

        return generate(
            next_logits,
            input_ids,
            attention_mask,
            max_new_tokens,
            Sampler(temperature, top_k, top_p, generator) if do_sample else None,
            self.config.eos_token_id if eos_token_id is None else eos_token_id,
            self.config.pad_token_id if pad_token_id is None else pad_token_id,
            self.config.max_position_embeddings,
        )
