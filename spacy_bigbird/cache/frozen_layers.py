"""Encode with layers that do not change: without gradients or dropout, and only once for each text with a cache."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..model.encoder import BigBirdModel
from .fingerprint import Fingerprints, name_of_pieces
from .store import StateStore


class FrozenLayers:
    """The lower part of an encoder, up to a layer below which nothing changes.

    encoder (BigBirdModel): the encoder.
    """

    def __init__(self, encoder: BigBirdModel) -> None:
        self.encoder = encoder
        self.fingerprints = Fingerprints(encoder)

    def eval(self, frozen: int) -> None:
        """Set frozen layers, and the embeddings with them, to eval mode. frozen (int): number of frozen layers."""
        for part in (self.encoder.embeddings, *self.encoder.encoder.layers[:frozen]) if frozen else ():
            part.eval()

    def encode(
        self,
        ids: Tensor,
        lengths: Sequence[int],
        token_types: Tensor | None,
        layers: Sequence[int],
        frozen: int,
        store: StateStore | None,
        only_read: bool = False,
    ) -> Tensor:
        """Encode concatenated sequences, as `BigBirdModel.forward_packed` does.

        ids (Tensor): ids of all pieces. Shape: (pieces,).
        lengths (Sequence[int]): number of pieces of each sequence.
        token_types (Tensor | None): token types, with which nothing is stored. Shape: (pieces,).
        layers (Sequence[int]): the layers whose states to return, from low to high.
        frozen (int): number of frozen layers; the embeddings are frozen too.
        store (StateStore | None): where their states are kept, in half precision; None to compute them each time.
        only_read (bool): whether to store nothing, only read what is there.
        RETURNS (Tensor): states of the layers, side by side. Shape: (pieces, layers * width).
        """
        below, above = [n for n in layers if n <= frozen], [n for n in layers if n > frozen]
        wanted = sorted({*below, frozen} if above else below)
        with torch.no_grad():
            if store is None or token_types is not None:
                lower = self._compute(ids, lengths, token_types, wanted)
            else:
                lower = self._look_up(ids, lengths, wanted, store, only_read)
        known = dict(zip(wanted, lower.split(self.encoder.config.hidden_size, dim=1), strict=True))
        parts = [known[layer] for layer in below]
        if above:
            start = known[frozen]
            parts.append(self.encoder.continue_packed(start, lengths, frozen, above))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)

    def _compute(self, ids: Tensor, lengths: Sequence[int], token_types: Tensor | None, layers: list[int]) -> Tensor:
        return self.encoder.forward_packed(ids, lengths, token_types, layers=layers)

    def _look_up(
        self, ids: Tensor, lengths: Sequence[int], layers: list[int], store: StateStore, only_read: bool
    ) -> Tensor:
        """Read the states of each sequence, or compute and store them. Shape: (pieces, layers * width)."""
        device = ids.device.type
        precision = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else torch.float32
        models = [self.fingerprints.of(layer, str(precision).removeprefix("torch.")) for layer in layers]
        sequences = ids.split(list(lengths))
        texts = [name_of_pieces(sequence.cpu().numpy()) for sequence in sequences]
        found = [self._read(models, text, length, store) for text, length in zip(texts, lengths, strict=True)]
        missing = [number for number, states in enumerate(found) if states is None]
        if missing:
            computed = self._compute(
                torch.cat([sequences[number] for number in missing]), [lengths[n] for n in missing], None, layers
            )
            # Rounded, so that the results are the same when the states are read the next time.
            halves = computed.float().cpu().numpy().astype(np.float16)
            ends = np.cumsum([lengths[number] for number in missing])[:-1]
            for number, states in zip(missing, np.split(halves, ends), strict=True):
                found[number] = states
                for model, part in (
                    zip(models, np.split(states, len(models), axis=1), strict=True) if not only_read else ()
                ):
                    store.write(model, texts[number], np.ascontiguousarray(part))
        return torch.from_numpy(np.concatenate([one for one in found if one is not None])).to(ids.device).float()

    def _read(self, models: list[str], text: str, length: int, store: StateStore) -> np.ndarray | None:
        parts = []
        shape = (length, self.encoder.config.hidden_size)
        for model in models:
            part = store.read(model, text)
            if part is None or part.shape != shape or part.dtype != np.float16:
                return None
            parts.append(part)
        return np.concatenate(parts, axis=1)
