"""The random states of everything that draws numbers, as JSON."""

from __future__ import annotations

import random
from typing import Any

import numpy
import torch


def random_states() -> dict[str, Any]:
    """Get the random states of Python, NumPy and PyTorch.

    RETURNS (dict[str, Any]): the states, which can be stored as JSON.
    """
    # NumPy's stubs allow for a dictionary, which is returned only on request.
    numbers: Any = numpy.random.get_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return {
        "python": random.getstate(),
        "numpy": [numbers[0], numbers[1].tolist(), *numbers[2:]],
        "torch": torch.get_rng_state().numpy().tobytes().hex(),
        "cuda": [state.numpy().tobytes().hex() for state in cuda],
    }


def set_random_states(states: dict[str, Any]) -> None:
    """Restore the random states of Python, NumPy and PyTorch.

    states (dict[str, Any]): what `random_states` returned, possibly after a round trip through JSON.
    """
    version, numbers, gauss = states["python"]
    random.setstate((version, tuple(numbers), gauss))
    name, keys, *rest = states["numpy"]
    numpy.random.set_state((name, numpy.asarray(keys, dtype="uint32"), *rest))
    torch.set_rng_state(_bytes_tensor(states["torch"]))
    for device, state in enumerate(states["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(_bytes_tensor(state), device)


def _bytes_tensor(text: str) -> torch.Tensor:
    return torch.frombuffer(bytearray.fromhex(text), dtype=torch.uint8)
