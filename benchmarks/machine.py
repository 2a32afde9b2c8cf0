"""The machine that a benchmark runs on: its description, and how fast it multiplies matrices."""

import os
import platform
from pathlib import Path
from typing import Any

import torch


def usable_cores() -> int:
    """RETURNS (int): number of cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine(device: str = "cpu") -> dict[str, Any]:
    """Describe the machine, as readers need to know it to judge the numbers.

    device (str): "cpu" or "cuda".
    RETURNS (dict[str, Any]): names of processor and accelerator, instruction sets, threads and versions.
    """
    described = {
        "processor": _processor(),
        "instructions": [name for name, key in _INSTRUCTIONS.items() if key in _cpu_flags()],
        "cores": usable_cores(),
        "threads": torch.get_num_threads(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "system": f"{platform.system()} {platform.machine()}",
    }
    if device.startswith("cuda"):
        described["accelerator"] = torch.cuda.get_device_name(device)
    return described


_INSTRUCTIONS = {"AVX2": "avx2", "AVX-512": "avx512f", "AVX-512 bf16": "avx512_bf16", "AMX": "amx_tile"}


def _cpu_info(key: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")


def _processor() -> str:
    return _cpu_info("model name") or platform.processor() or platform.machine()


def _cpu_flags() -> set[str]:
    return set(_cpu_info("flags").split())


class MatrixProduct:
    """A product as in an encoder's feed-forward layer, computed as fast as this PyTorch can: a limit for all layers.

    dtype (torch.dtype): float32 or bfloat16.
    rows (int): number of rows of the input.
    width (int): number of columns of the input; the weights have four times as many.
    device (str): device to compute on.
    """

    # Products per measurement, which take about as long as a layer.
    TIMES = 4

    def __init__(self, dtype: torch.dtype, rows: int = 4096, width: int = 768, device: str = "cpu") -> None:
        self.flop = self.TIMES * 2 * rows * width * 4 * width
        generator = torch.Generator().manual_seed(0)
        self._x = torch.randn(rows, width, generator=generator).to(device, dtype)
        self._weight = torch.randn(4 * width, width, generator=generator).to(device, dtype)
        self._packed = None
        if device == "cpu" and torch.backends.mkldnn.is_available():
            reorder = getattr(torch.ops.mkldnn, "_reorder_linear_weight", None)
            self._packed = reorder(self._weight, rows) if reorder else None

    def repeat(self) -> None:
        """Compute the product `TIMES` times, with weights in oneDNN's layout if PyTorch supports it."""
        with torch.inference_mode():
            for _ in range(self.TIMES):
                if self._packed is None:
                    torch.nn.functional.linear(self._x, self._weight)
                else:
                    torch.ops.mkldnn._linear_pointwise(self._x, self._packed, None, "none", [], "")
