"""Which machine a result comes from, and how much memory was used."""

import os
import platform
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import spacy
import torch


def describe_machine(gpu: int = -1) -> dict[str, Any]:
    """RETURNS (dict[str, Any]): what readers need to know to judge times and speed."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    described = {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "spacy": spacy.__version__,
    }
    return {**described, "gpu": torch.cuda.get_device_name(gpu)} if gpu >= 0 else described


def peak_memory() -> float:
    """RETURNS (float): peak memory of this process so far. Unit: megabytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)


def describe_machines(results: Sequence[dict[str, Any]]) -> str:
    """Describe where results come from.

    results (Sequence[dict[str, Any]]): results with `machine` and `seed`.
    RETURNS (str): a sentence with the machine, or with several and the seeds of each.
    """
    seeds: dict[str, set[int]] = {}
    for result in results:
        facts = ", ".join(f"{key} {value}" for key, value in result["machine"].items() if value is not None)
        seeds.setdefault(facts, set()).add(result["seed"])
    if len(seeds) == 1:
        return f"Machine: {next(iter(seeds))}."
    named = (f"{facts} (seeds {', '.join(map(str, sorted(found)))})" for facts, found in seeds.items())
    return f"Machines: {'; '.join(named)}."
