"""Speed and memory of the encoder: ours, transformers' BigBird and dense attention, at BigBird's base size.

All contestants run in turns in one process, so ratios hold on a noisy machine; the machine's limit for matrix products
is measured along with them. Peak memory beyond the weights is measured in fresh processes.
"""

from itertools import accumulate
from statistics import median

import torch
from common import MEGABYTE, in_fresh_process, interleaved, parser, report, watched_memory
from contestants import INFERENCE, OURS, OURS_BF16, REFERENCE, REFERENCE_BF16, TRAINING, layer_flop, work_of
from figures import mark_lengths
from machine import MatrixProduct
from torch.profiler import ProfilerActivity, profile
from tqdm import tqdm

RAGGED = [2048, 1250, 750, 576]
ERROR_LENGTHS, ERROR_LAYERS = [2048], 12


def main() -> None:
    options = parser(__doc__, repeats=5)
    options.add_argument("--lengths", type=int, nargs="+", default=[512, 1024, 2048, 4096, 8192, 16384])
    options.add_argument("--training-lengths", type=int, nargs="*", default=[1024, 4096])
    options.add_argument("--memory-lengths", type=int, nargs="*", default=[4096, 16384])
    options.add_argument("--layers", type=int, default=1, help="layers of base size (default: 1)")
    given = options.parse_args()
    torch.set_num_threads(given.threads)

    products = {"fp32": MatrixProduct(torch.float32), "bf16": MatrixProduct(torch.bfloat16)}
    limits = {dtype: [] for dtype in products}
    workloads = [("inference", [length]) for length in given.lengths] + [("inference", RAGGED)]
    workloads += [("training", [length]) for length in given.training_lengths]
    rows = []
    for mode, lengths in tqdm(workloads, desc="Workloads", unit="workload"):
        rows += measure(mode, lengths, given, products, limits)
    errors = {name: rounding_error(exact, name) for exact, name in ((REFERENCE, REFERENCE_BF16), (OURS, OURS_BF16))}
    report(
        f"Encoder, {given.layers} layer(s) of base size",
        given,
        ["mode", "pieces", "contestant", "ms", "±", "x reference", "share of limit", "tensors MB", "process MB"],
        rows,
        draw=lambda axes: draw(axes, rows),
        notes=[
            "Limit for matrix products: "
            + ", ".join(f"{median(limit) / 1e9:,.0f} GFLOP/s in {dtype}" for dtype, limit in limits.items()),
            f"x reference: times faster than transformers in fp32. Compare {OURS_BF16} with {REFERENCE_BF16}.",
            f"Error of bf16 after {ERROR_LAYERS} layers with random weights, where vector entries have size 1: "
            + ", ".join(f"{error:.4f} ({name})" for name, error in errors.items()),
            "tensors MB: peak memory of the tensors, beyond the model. process MB: growth of the process.",
        ],
    )


def measure(mode, lengths, given, products, limits):
    """Measure a workload: all contestants and plain matrix products in turns, then the memory of each contestant."""
    training = mode == "training"
    names = TRAINING if training else INFERENCE
    cases = {name: work_of(name, lengths, given.layers, training) for name in names}
    timings = interleaved(cases | {dtype: product.repeat for dtype, product in products.items()}, given.repeats)
    del cases
    limit = {dtype: product.flop / timings[dtype].median for dtype, product in products.items()}
    for dtype in products:
        limits[dtype].append(limit[dtype])
    flop = layer_flop(lengths, given.layers) * (3 if training else 1)
    for name in names:
        timing = timings[name]
        dtype = "fp32" if name.endswith(("fp32", "checkpointing")) else "bf16"
        row = {
            "mode": mode,
            "pieces": "+".join(map(str, lengths)),
            "contestant": name,
            "ms": timing.median * 1e3,
            "±": f"{timing.spread:.0%}",
            "x reference": timing.times_faster_than(timings[REFERENCE]),
            "share of limit": flop / timing.median / limit[dtype],
            "tensors MB": "",
            "process MB": "",
        }
        if len(lengths) == 1 and lengths[0] in given.memory_lengths:
            tensors, process = in_fresh_process(peak_memory, name, lengths, given.layers, training, given.threads)
            row["tensors MB"], row["process MB"] = tensors / MEGABYTE, process / MEGABYTE
        yield row


def rounding_error(exact, rounded):
    """Compute the root mean square difference between fp32 and bf16 vectors of a contestant, over all entries."""
    exact, rounded = (work_of(name, ERROR_LENGTHS, ERROR_LAYERS, training=False)().float() for name in (exact, rounded))
    return (exact - rounded).square().mean().sqrt().item()


def peak_memory(name, lengths, layers, training, threads):
    """Measure the peak memory of tensors, and of the process, beyond that of the model. Runs in its own process."""
    torch.set_num_threads(threads)
    work = work_of(name, lengths, layers, training)
    with watched_memory(interval=0.002) as memory:
        work()
        work()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        work()
    # The public list of events lacks allocations that are made inside operators.
    changes = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    changes.sort(key=lambda event: event.start_ns())
    return max(accumulate(event.nbytes() for event in changes)), memory.rise


def draw(axes, rows):
    for name in INFERENCE:
        points = [row for row in rows if row["mode"] == "inference" and row["contestant"] == name]
        points = [(int(row["pieces"]), row["ms"]) for row in points if row["pieces"].isdigit()]
        axes.plot(*zip(*points, strict=True), marker="o", label=name)
    axes.set(xscale="log", yscale="log", xlabel="pieces in a document", ylabel="milliseconds")
    mark_lengths(axes, {int(row["pieces"]) for row in rows if row["mode"] == "inference" and row["pieces"].isdigit()})
    axes.legend()


if __name__ == "__main__":
    main()
