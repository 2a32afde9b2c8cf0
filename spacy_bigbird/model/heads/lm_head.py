"""Scores for all pieces of the vocabulary."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ...plan.config import BigBirdConfig
from ..cpu.linear import Linear
from ..encoder import BigBirdModel
from ..initialization import initialize_weights
from ..pretrained import PretrainedModel


class LMHead(nn.Module):
    """A head that scores all pieces of the vocabulary. Rows are independent of each other.

    config (BigBirdConfig): the hyper-parameters.
    """

    def __init__(self, config: BigBirdConfig) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.hidden_size)
        self.layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.decoder = Linear(config.hidden_size, config.vocab_size, bias=False)
        self.bias = nn.Parameter(self.decoder.weight.new_zeros(config.vocab_size))
        self.activation = config.hidden_act

    def forward(self, rows: Tensor) -> Tensor:
        """Score all pieces.

        rows (Tensor): states. Shape: (..., hidden_size).
        RETURNS (Tensor): scores. Shape: (..., vocab_size).
        """
        scores = self.decoder(self.layer_norm(self.dense(rows, self.activation)))
        bias = self.bias.to(scores.dtype)
        # In place if that is allowed, because these are the largest tensors in the whole model.
        return scores + bias if scores.requires_grad else scores.add_(bias)


class LanguageModel(PretrainedModel):
    """Base class of the models that predict pieces, with `bigbird`, `lm_head` and the weights that both share.

    config (BigBirdConfig): the hyper-parameters. Without `tie_word_embeddings`, the head has its own weights.
    """

    def __init__(self, config: BigBirdConfig) -> None:
        super().__init__(config)
        self.bigbird = BigBirdModel(config)
        self.lm_head = LMHead(config)
        initialize_weights(self.lm_head, config)
        self.tie_weights()
        self.register_load_state_dict_post_hook(_tie_again)

    def tie_weights(self) -> None:
        """Share the word embeddings with the head if the configuration has `tie_word_embeddings`."""
        if self.config.tie_word_embeddings:
            self.lm_head.decoder.weight = self.bigbird.embeddings.word_embeddings.weight

    def _apply(self, fn: Any, recurse: bool = True) -> LanguageModel:
        super()._apply(fn, recurse)
        self.tie_weights()
        return self


def _tie_again(module: LanguageModel, incompatible_keys: Any) -> None:
    module.tie_weights()
