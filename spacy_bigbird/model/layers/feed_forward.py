"""The feed-forward part of a layer."""

from torch import Tensor, nn

from ..config import BigBirdConfig
from .linear import Linear


class FeedForward(nn.Module):
    """Two linear layers with an activation between them, and dropout.

    config (BigBirdConfig): gives the widths, the activation and the dropout.
    """

    def __init__(self, config: BigBirdConfig) -> None:
        super().__init__()
        self.intermediate = Linear(config.hidden_size, config.intermediate_size)
        self.output = Linear(config.intermediate_size, config.hidden_size)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.activation = config.hidden_act

    def forward(self, hidden: Tensor) -> Tensor:
        """hidden (Tensor): input. Shape: (..., hidden_size).
        RETURNS (Tensor): output. Shape: (..., hidden_size).
        """
        return self.dropout(self.output(self.intermediate(hidden, self.activation)))
