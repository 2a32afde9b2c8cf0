"""Shared by all benchmarks: interleaved timing, peak memory of fresh processes, real texts, and the report.

A script extends the options of `parser`, measures, and ends with `report`, which prints the table and writes what
`--json` and `--plot` ask for. Cases are run in turns, so that other work on the machine slows all of them alike.
"""

import argparse
import gc
import json
import lzma
import multiprocessing
import os
import resource
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
import wasabi
from figures import figure_file, figure_path
from machine import machine, usable_cores

Result = TypeVar("Result")
MEGABYTE = 2**20


# Options


def parser(description: str | None, repeats: int = 5, threads: int | None = None) -> argparse.ArgumentParser:
    """Create an argument parser with the options that all benchmarks share.

    description (str | None): the `__doc__` of the script.
    repeats (int): default of --repeats.
    threads (int | None): default of --threads; None for all cores that this process may use.
    RETURNS (ArgumentParser): the parser, with --repeats, --threads, --json and --plot.
    """
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--repeats", type=int, default=repeats, help="measured rounds, after one to warm up")
    options.add_argument("--threads", type=int, default=threads or usable_cores(), help="PyTorch threads")
    options.add_argument("--json", type=Path, help="write options, machine and rows to this file")
    options.add_argument("--plot", type=figure_path, help="write a figure (PNG) to this file")
    return options


def data_dir(given: Path | None = None) -> Path:
    """Get the folder of real long documents: the given one, or SPACY_BIGBIRD_DATA. Exits if there is none."""
    folder = given or os.environ.get("SPACY_BIGBIRD_DATA")
    if not folder or not Path(folder).is_dir():
        sys.exit("Set the environment variable SPACY_BIGBIRD_DATA to the folder of real documents.")
    return Path(folder)


def real_texts(folder: Path, number: int, min_characters: int = 0) -> list[str]:
    """Read the first articles of the wikispeedia corpus.

    folder (Path): the folder of real documents.
    number (int): number of articles.
    min_characters (int): minimum length of an article; shorter ones are left out.
    RETURNS (list[str]): whole texts, in the order of the file.
    """
    texts: list[str] = []
    with lzma.open(folder / "wikispeedia" / "wikispeedia_articles.jsonl.xz", "rt", encoding="utf8") as lines:
        for line in lines:
            if len(texts) == number:
                break
            text = json.loads(line)["text"]
            if len(text) >= min_characters:
                texts.append(text)
    return texts


# Time


@dataclass
class Timing:
    """Times of a case, one for each round. Unit: seconds."""

    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """Half of the interquartile range, as a share of the median."""
        if len(self.seconds) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return (high - low) / 2 / self.median

    def times_faster_than(self, other: "Timing") -> float:
        """Median over rounds of the ratio of the other's time to this one's, as rounds share the machine's state."""
        return statistics.median(b / a for a, b in zip(self.seconds, other.seconds, strict=True))


def interleaved(
    cases: Mapping[str, Callable[[], object]],
    repeats: int = 5,
    warmup: int = 1,
    device: str = "cpu",
    on_round: Callable[[int], object] | None = None,
) -> dict[str, Timing]:
    """Time all cases in turns.

    cases (Mapping[str, Callable]): functions without arguments, by name.
    repeats (int): number of measured rounds.
    warmup (int): number of preceding rounds, which are not measured.
    device (str): the device in use. The clock is read only after an accelerator has finished.
    on_round (Callable[[int], object] | None): called with the number of each round before it, to show progress.
    RETURNS (dict[str, Timing]): the times, by the same names.
    """
    timings = {name: Timing() for name in cases}
    for number in range(-warmup, repeats):
        if on_round is not None:
            on_round(number)
        for name, case in cases.items():
            gc.collect()
            synchronize(device)
            start = time.perf_counter()
            case()
            synchronize(device)
            if number >= 0:
                timings[name].seconds.append(time.perf_counter() - start)
    return timings


def synchronize(device: str) -> None:
    """Wait until the accelerator has finished. Does nothing on a CPU."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


# Memory


def resident_memory() -> int:
    """RETURNS (int): current memory of this process. Unit: bytes."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="utf8").split()[1])
    except OSError:
        return _highest_memory()
    return pages * os.sysconf("SC_PAGE_SIZE")


def _highest_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@dataclass
class Memory:
    """Memory before something ran, its peak meanwhile, and memory afterwards. Unit: bytes."""

    before: int = 0
    peak: int = 0
    after: int = 0

    @property
    def rise(self) -> int:
        return self.peak - self.before


@contextmanager
def watched_memory(device: str = "cpu", interval: float = 0.005) -> Iterator[Memory]:
    """Measure the memory of what runs in the `with` block: of this process, or of the accelerator's tensors.

    device (str): "cpu" or "cuda".
    interval (float): time between two samples if the system does not track the peak itself. Unit: seconds.
    YIELDS (Memory): the result, filled in at the end of the block.
    """
    memory = Memory()
    gc.collect()
    if device.startswith("cuda"):
        synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        memory.before = torch.cuda.memory_allocated(device)
        yield memory
        synchronize(device)
        memory.peak, memory.after = torch.cuda.max_memory_allocated(device), torch.cuda.memory_allocated(device)
        return
    memory.before = memory.peak = resident_memory()
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(interval):
            memory.peak = max(memory.peak, resident_memory())

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield memory
    finally:
        stop.set()
        watcher.join()
        memory.after = resident_memory()
        memory.peak = max(memory.peak, memory.after)


def in_fresh_process(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function in a new interpreter, in which nothing was allocated before.

    function (Callable): a function at the top level of the script, whose arguments and result can be pickled.
    *arguments (Any): its arguments.
    RETURNS (Any): its result.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


# Reports


def report(
    title: str,
    options: argparse.Namespace,
    columns: Sequence[str],
    rows: Iterable[Mapping[str, Any]],
    draw: Callable[[Any], None] | None = None,
    notes: Sequence[str] = (),
    device: str = "cpu",
) -> None:
    """Print the table and the machine, and write JSON and a figure if the options name files.

    title (str): what was measured.
    options (Namespace): the parsed options, of which --json and --plot are used.
    columns (Sequence[str]): keys of the rows to show in the table, in order. JSON contains all keys.
    rows (Iterable[Mapping]): the results, one row per case.
    draw (Callable[[Axes], None] | None): draws the figure on Matplotlib axes.
    notes (Sequence[str]): lines to print below the table.
    device (str): the device that was measured.
    """
    rows = [dict(row) for row in rows]
    described = machine(device)
    print(f"\n{title}\n")
    aligns = ["l" if any(isinstance(row.get(name), str) for row in rows) else "r" for name in columns]
    print(
        wasabi.table(
            [[_shown(row.get(name, "")) for name in columns] for row in rows], columns, divider=True, aligns=aligns
        )
    )
    for note in notes:
        print(note)
    facts = [*described["instructions"], f"threads: {described['threads']}", f"PyTorch {described['torch']}"]
    print(f"{described.get('accelerator', described['processor'])} ({', '.join(facts)})\n")
    if options.json:
        given = {key: _plain(value) for key, value in vars(options).items() if key not in ("json", "plot")}
        content = {"title": title, "options": given, "machine": described, "rows": rows, "notes": list(notes)}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(content, indent=2, default=_plain) + "\n", encoding="utf8")
        print(f"Wrote {options.json}")
    if options.plot and draw:
        figure_file(options.plot, title, draw)
        print(f"Wrote {options.plot}")


def _shown(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | list | dict | None) else str(value)
