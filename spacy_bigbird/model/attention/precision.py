"""Full speed for fp32 matrix products on CPUs on which PyTorch's default library is slow.

On AMD CPUs, the default (MKL) is about half as fast as oneDNN. PyTorch uses oneDNN for fp32 products if its matmul
precision is set to "bf16", and oneDNN then computes them in full fp32 precision if the CPU has no matrix unit for bf16.
The setting is global to the process, so it is only set around our own products, and only if it has proved to be exact.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

# None if this version of PyTorch does not have the setting.
_products: Any = getattr(torch.backends.mkldnn, "matmul", None)
_lock = threading.Lock()
_users = 0
_setting_before = "none"


@contextmanager
def fast_float32_products(example: Tensor) -> Iterator[None]:
    """Let oneDNN compute fp32 matrix products within this context, if it does so without loss of precision.

    example (Tensor): one of the operands. The context has no effect unless this is an fp32 tensor on the CPU.
    """
    if example.dtype != torch.float32 or example.device.type != "cpu" or not _is_exact():
        yield
        return
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _users, _setting_before
    with _lock:
        if _users == 0:
            _setting_before = _products.fp32_precision
            _products.fp32_precision = "bf16"
        _users += 1


def _leave() -> None:
    global _users
    with _lock:
        _users -= 1
        if _users == 0:
            _products.fp32_precision = _setting_before


@lru_cache(maxsize=1)
def _is_exact() -> bool:
    """Try once whether products keep fp32's precision under the setting, with this CPU and version of PyTorch."""
    if not torch.backends.mkldnn.is_available() or not hasattr(_products, "fp32_precision"):
        return False
    a = torch.linspace(-1, 1, 128 * 128, dtype=torch.float32, device="cpu").sin().reshape(128, 128)
    exact = a.double() @ a.double()
    _enter()
    try:
        error = (a @ a - exact).abs().max()
    finally:
        _leave()
    return bool(error < 1e-4)
