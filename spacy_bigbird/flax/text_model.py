"""What the models whose input is a batch of texts have in common: their arguments and their output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import Errors
from .attention import Array
from .pretrained import FlaxPretrainedModel, Params


class TextModel(FlaxPretrainedModel):
    """A model whose input is a batch of texts."""

    def __call__(
        self,
        input_ids: Any,
        attention_mask: Any = None,
        token_type_ids: Any = None,
        position_ids: Any = None,
        head_mask: Any = None,
        encoder_hidden_states: Any = None,
        encoder_attention_mask: Any = None,
        params: Mapping[str, Any] | None = None,
        dropout_rng: Array | None = None,
        indices_rng: Array | None = None,
        train: bool = False,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        past_key_values: Params | None = None,
    ) -> Any:
        """Apply the model to a padded batch. Arrays of JAX and NumPy and lists are allowed, also inside of `jit`.

        input_ids (Any): ids of the pieces. Shape: (batch, seq).
        attention_mask (Any): 1 for pieces, 0 for padding, which must be on the right of sparse rows; None for no
            padding. Shape: (batch, seq), or that of the cache with `past_key_values`.
        token_type_ids (Any): 0 for the first text, 1 for the second; None for 0. Shape: (batch, seq).
        position_ids (Any): positions of the pieces; None for 0, 1, 2 ... Shape: (batch, seq).
        head_mask (Any): factors for the heads' outputs. Shape: (heads,) or (layers, heads).
        encoder_hidden_states (Any): output of an encoder, for a decoder with cross-attention.
            Shape: (batch, encoder_seq, hidden_size).
        encoder_attention_mask (Any): 1 for its pieces, 0 for padding. Shape: (batch, encoder_seq).
        params (Mapping[str, Any] | None): parameters; None for the model's own.
        dropout_rng (Array | None): key for dropout, needed with `train` if a dropout is not 0.
        indices_rng (Array | None): not used: the random blocks are those of a fixed plan, in training too.
        train (bool): whether there is dropout.
        output_attentions (bool | None): whether to return attention probabilities; None for the configuration.
        output_hidden_states (bool | None): whether to return every layer's states; None for the configuration.
        return_dict (bool | None): False to get the fields that were computed as a tuple.
        past_key_values (Params | None): a decoder's cache, from `init_cache` or the previous output.
        RETURNS (Any): the output, or a tuple. Padding is zero in it.
        RAISES ValueError: the inputs do not fit together or do not fit the model.
        """
        if not self.config.is_decoder:
            refuse_decoding(encoder_hidden_states=encoder_hidden_states, past_key_values=past_key_values)
        outputs = self.encode(
            input_ids,
            attention_mask,
            token_type_ids,
            position_ids,
            head_mask,
            params,
            dropout_rng,
            train,
            output_attentions,
            encoder_hidden_states,
            encoder_attention_mask,
            past_key_values,
        )
        return self.finished(outputs, output_hidden_states, return_dict)

    def finished(self, outputs: Any, output_hidden_states: bool | None, return_dict: bool | None) -> Any:
        """Drop what was not asked for.

        outputs (Any): the network's output.
        output_hidden_states, return_dict (bool | None): as in the call.
        RETURNS (Any): the output, or a tuple of its fields.
        """
        wanted = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        outputs = outputs if wanted else outputs.replace(hidden_states=None)
        return outputs.to_tuple() if return_dict is False else outputs


def refuse_decoding(**arguments: Any) -> None:
    """Raise an error for arguments that only decoders have.

    **arguments (Any): the arguments, None for those that were not given.
    RAISES ValueError: one was given.
    """
    given = [name for name, value in arguments.items() if value is not None]
    if given:
        raise ValueError(Errors.BB104.format(given=", ".join(given), needed="is_decoder=True"))
