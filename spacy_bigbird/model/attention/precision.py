"""Full speed for fp32 matrix products on CPUs where PyTorch's default library is slow.

On AMD CPUs the default (MKL) reaches about half of what oneDNN does. PyTorch hands fp32 products to oneDNN when its
matmul precision is set to "bf16", and oneDNN computes them exactly in fp32 where the CPU has no matrix unit for bf16.
The setting is global to the process, so it is set only around our own products, and only where it proved exact.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

# None where this PyTorch has no such setting.
_products: Any = getattr(torch.backends.mkldnn, "matmul", None)
_lock = threading.Lock()
_users = 0
_setting_before = "none"


@contextmanager
def fast_float32_products(example: Tensor) -> Iterator[None]:
    """Let oneDNN compute fp32 matrix products while this is open, without rounding; elsewhere change nothing.

    example (Tensor): one of the operands; only fp32 on a CPU is affected.
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
    """Try it once: does a product under the setting keep fp32's precision on this CPU and this PyTorch?"""
    if not torch.backends.mkldnn.is_available() or not hasattr(_products, "fp32_precision"):
        return False
    a = torch.linspace(-1, 1, 128 * 128).sin().reshape(128, 128)
    exact = a.double() @ a.double()
    _enter()
    try:
        error = (a @ a - exact).abs().max()
    finally:
        _leave()
    return bool(error < 1e-4)
