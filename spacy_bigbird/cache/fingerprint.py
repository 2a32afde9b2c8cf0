"""Names for what states depend on: the weights up to a layer, the configuration, the precision, and the pieces."""

import hashlib
import json
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..model.encoder import BigBirdModel

# Fields of the configuration that states in prediction do not depend on. All others are part of the name.
WITHOUT_EFFECT = {
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "classifier_dropout",
    "initializer_range",
    "num_hidden_layers",
    "num_labels",
    "id2label",
    "label2id",
    "problem_type",
    "tie_word_embeddings",
    "output_attentions",
    "output_hidden_states",
    "use_cache",
}
# To be raised when the encoder computes something else from the same weights, or files have another form.
VERSION = 1


class Fingerprints:
    """Names of an encoder's layers, computed again only when weights have changed.

    encoder (BigBirdModel): the encoder.
    """

    def __init__(self, encoder: BigBirdModel) -> None:
        self.encoder = encoder
        self._state: tuple[Any, ...] = ()
        self._names: list[str] = []

    def of(self, layer: int, precision: str) -> str:
        """Name the states of a layer.

        layer (int): number of the layer, 0 for the embeddings.
        precision (str): how they are computed, such as "float32".
        RETURNS (str): a name that depends on everything up to this layer, and on nothing above it.
        """
        # PyTorch counts changes of a tensor; other memory means other weights.
        state = tuple((weight.data_ptr(), weight._version) for weight in self.encoder.parameters())
        if state != self._state:
            self._names, self._state = self._compute(), state
        return f"{self._names[layer]}-{precision}"

    def forget(self) -> None:
        """Compute the names again, since an optimizer has taken a step, which PyTorch does not count."""
        self._state = ()

    def _compute(self) -> list[str]:
        config = {name: value for name, value in vars(self.encoder.config).items() if name not in WITHOUT_EFFECT}
        config.pop("extra")
        digest = hashlib.blake2b(json.dumps([VERSION, config], sort_keys=True).encode(), digest_size=12)
        names = []
        for part in (self.encoder.embeddings, *self.encoder.encoder.layers):
            for name, weight in sorted(part.state_dict().items()):
                digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
                digest.update(_bytes(weight))
            names.append(digest.hexdigest())
        return names


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()


def name_of_pieces(ids: np.ndarray) -> str:
    """Name a sequence.

    ids (ndarray): ids of its pieces, [CLS] and [SEP] included. Shape: (pieces,).
    RETURNS (str): the name.
    """
    return hashlib.blake2b(np.ascontiguousarray(ids, dtype="<i4").tobytes(), digest_size=16).hexdigest()
