"""Embeddings of pieces, positions and token types."""

from torch import Tensor, nn

from ...plan.config import BigBirdConfig
from ..cpu.dropout import Dropout


class BigBirdEmbeddings(nn.Module):
    """The sum of word, position and token type embeddings, followed by dropout and layer normalisation.

    config (BigBirdConfig): the hyper-parameters.
    """

    def __init__(self, config: BigBirdConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.word_embeddings = nn.Embedding(config.vocab_size, width, padding_idx=config.pad_token_id)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, width)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, width)
        self.layer_norm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.dropout = Dropout(config.hidden_dropout_prob)
        self.scale = width**0.5 if config.rescale_embeddings else None

    def forward(
        self,
        input_ids: Tensor | None,
        position_ids: Tensor,
        token_type_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
    ) -> Tensor:
        """Embed pieces.

        input_ids (Tensor | None): ids of the pieces; not used if there are `inputs_embeds`. Shape: (...).
        position_ids (Tensor): positions of the pieces. Shape: (...).
        token_type_ids (Tensor | None): token types of the pieces; None for 0. Shape: (...).
        inputs_embeds (Tensor | None): word embeddings, instead of ids. Shape: (..., hidden_size).
        RETURNS (Tensor): embeddings. Shape: (..., hidden_size).
        """
        words = self.word_embeddings(input_ids) if inputs_embeds is None else inputs_embeds
        if self.scale is not None:
            words = words * self.scale
        types = (
            self.token_type_embeddings.weight[0]
            if token_type_ids is None
            else self.token_type_embeddings(token_type_ids)
        )
        embeddings = (words + types).add_(self.position_embeddings(position_ids))
        return self.layer_norm(self.dropout(embeddings))
