"""The results of a task, as its systems wrote them, and what can be compared in them."""

import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import srsly

from spacy_bigbird.bakeoff.statistics import Score, f_score, mean

from .options import DEFAULT
from .systems import SYSTEMS, Settings

Result = dict[str, Any]


def read_results(root: Path, task: str, settings: Settings = DEFAULT) -> dict[str, list[Result]]:
    """Read comparable results: those of all seeds with otherwise equal settings.

    root (Path): the project's folder. task (str): name of the task. settings (Settings): settings; ignores the seed.
    RETURNS (dict[str, list[Result]]): results of each system, by seed, in the order of SYSTEMS.
    """
    found: dict[str, list[Result]] = defaultdict(list)
    for system in SYSTEMS:
        read = map(srsly.read_json, sorted((root / "results").glob(f"{task}-{system}-seed*.json")))
        found[system] = sorted((one for one in read if has(one, settings)), key=lambda result: result["seed"])
    return {system: results for system, results in found.items() if results}


def has(result: Result, settings: Settings) -> bool:
    """RETURNS (bool): whether a result was produced with these settings. tok2vec has no size."""
    training = result["training"]
    return (
        (result["checkpoint"], result["max_length"]) == (settings.checkpoint, settings.max_length)
        and training["clock"] == settings.clock
        # srsly does not write numbers with full precision.
        and math.isclose(training["budget_seconds"], settings.seconds)
        and result["size"] in (None, settings.size)
    )


def score_of(result: Result) -> Score:
    """RETURNS (Score): the function from `counts` to the score: F1 for three numbers, or a mean for two."""
    return f_score if np.shape(result["counts"])[-1] == 3 else mean


def pooled(results: Sequence[Result]) -> np.ndarray:
    """RETURNS (ndarray): counts of each document, summed over the seeds."""
    return np.sum([result["counts"] for result in results], axis=0)


def group_scores(results: Sequence[Result], key: str) -> list[float]:
    return [float(np.mean(scores)) for scores in zip(*([g["score"] for g in r[key]] for r in results), strict=True)]


def lengths_differ(results: dict[str, list[Result]]) -> bool:
    """RETURNS (bool): whether the longest documents are much longer than the shortest, so that length can matter."""
    groups = next(iter(results.values()))[0]["by_length"]
    return "shortest" not in groups[0] or groups[-1]["longest"] >= 1.5 * groups[0]["shortest"]


def length_name(group: dict[str, Any]) -> str:
    if "shortest" in group:
        ends = dict.fromkeys((group["shortest"], group["longest"]))
        return " to ".join(f"{end:,}" for end in ends) + " tokens"
    return group["longest"] if isinstance(group["longest"], str) else f"first {group['longest']:,} pieces"


def position_name(group: dict[str, Any]) -> str:
    return f"{group['start']:.0%} to {group['end']:.0%}"
