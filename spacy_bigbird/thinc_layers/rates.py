"""Learning rates of their own for the encoder and for each of its layers."""

from .layer_choice import layer_of
from .settings import EncoderSettings

EMBEDDINGS = ("embeddings.", "bigbird.embeddings.")


def rate_of(weight: str, settings: EncoderSettings, layers: int) -> float:
    """Compute the factor on the optimizer's learning rate for a weight.

    weight (str): its canonical name, in a model with or without a head.
    settings (EncoderSettings): the factor of the highest layer, and the decay to each layer below, then the embeddings.
    layers (int): number of the encoder's layers.
    RETURNS (float): the factor, 1 for the weights of a head.
    """
    layer = -1 if weight.startswith(EMBEDDINGS) else layer_of(weight)
    if layer is None:
        return 1.0
    return settings.learning_rate_factor * settings.layer_learning_rate_decay ** (layers - 1 - layer)
