"""Memory and shapes that are used again from one product to the next."""

import threading

import torch
from torch import Tensor


class Workspace(threading.local):
    """Buffers that are used again from chunk to chunk and call to call, so that no chunk waits for fresh memory. Each
    thread has its own."""

    def __init__(self) -> None:
        self.buffers: dict[tuple[str, torch.dtype, torch.device], Tensor] = {}

    def get(self, name: str, shape: tuple[int, ...], like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """A tensor whose values have no meaning, good until the same name is asked for again.

        name (str): what it is for.
        shape (tuple[int, ...]): its shape.
        like (Tensor): says the device, and the dtype where none is given.
        dtype (torch.dtype | None): what its numbers shall be.
        RETURNS (Tensor): contiguous, without a gradient.
        """
        key = (name, dtype or like.dtype, like.device)
        size = torch.Size(shape).numel()
        buffer = self.buffers.get(key)
        if buffer is None or buffer.numel() < size:
            # Not an inference tensor, whatever mode the first caller is in: the next one may need gradients.
            with torch.inference_mode(False):
                buffer = self.buffers[key] = torch.empty(size, dtype=key[1], device=key[2])
        return buffer[:size].view(shape)


workspace = Workspace()


def few_sizes(rows: int) -> int:
    """Round up, by an eighth or to 64: oneDNN prepares and keeps code for every new shape of a product, so products
    that have a document's length in their shape may only have few lengths.

    rows (int): a document's length.
    RETURNS (int): one of eight sizes between a power of two and the next, all of them multiples of 64.
    """
    step = max(1 << max(rows.bit_length() - 4, 0), 64)
    return -(-rows // step) * step
