"""Memory and shapes that are reused from one product to the next."""

import threading

import torch
from torch import Tensor

# What a thread's buffers may take together between calls. Unit: bytes.
LARGEST = 256 * 2**20


class Workspace(threading.local):
    """Buffers that are reused between chunks and calls, so that no chunk waits for new memory.

    Each thread has its own buffers, on the CPU only: PyTorch itself reuses the memory of other devices.

    largest (int): what the buffers may take together. One that does not fit is used once. Unit: bytes.
    """

    def __init__(self, largest: int = LARGEST) -> None:
        self.largest = largest
        self.buffers: dict[tuple[str, torch.dtype, torch.device], Tensor] = {}

    def get(self, name: str, shape: tuple[int, ...], like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Get an uninitialized tensor, valid until one with the same name, dtype and device is requested.

        name (str): name of the buffer.
        shape (tuple[int, ...]): shape of the tensor.
        like (Tensor): a tensor with the device, and the dtype unless one is given.
        dtype (torch.dtype | None): dtype of the tensor; None for that of `like`.
        RETURNS (Tensor): a contiguous tensor that does not require a gradient.
        """
        key = (name, dtype or like.dtype, like.device)
        size = torch.Size(shape).numel()
        buffer = self.buffers.get(key)
        if buffer is None or buffer.numel() < size:
            # Never an inference tensor, because the next caller may need gradients.
            with torch.inference_mode(False):
                buffer = torch.empty(size, dtype=key[1], device=key[2])
            self._keep(key, buffer)
        return buffer[:size].view(shape)

    def _keep(self, key: tuple[str, torch.dtype, torch.device], buffer: Tensor) -> None:
        self.buffers.pop(key, None)
        if buffer.device.type != "cpu" or buffer.nbytes > self.largest:
            return
        # Tensors that are in use keep their memory until their user is done.
        while self.buffers and sum(kept.nbytes for kept in self.buffers.values()) + buffer.nbytes > self.largest:
            del self.buffers[next(iter(self.buffers))]
        self.buffers[key] = buffer


workspace = Workspace()


def few_sizes(rows: int) -> int:
    """Round up to one of few sizes, by less than an eighth or to a multiple of 64.

    oneDNN generates and keeps code for every new shape of a product, so shapes must not depend on a document's exact
    length.

    rows (int): a document's length. Unit: pieces.
    RETURNS (int): a multiple of 64, with at most eight different ones from one power of two to the next.
    """
    step = max(1 << max(rows.bit_length() - 4, 0), 64)
    return -(-rows // step) * step
