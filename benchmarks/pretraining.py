"""Pre-training steps on real texts, from the file to the updated weights: throughput in fp32 and under autocast, the
share of the machine's limit for matrix products, and how much of the time a step waits for its data.

All cases run in turns in one process, each with its own data path. Model sizes: "base" is that of the released model,
"small" and "tiny" can be trained on a CPU.
"""

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import torch
from common import data_dir, interleaved, parser, report
from tqdm import tqdm

from spacy_bigbird.pretraining.processes import Processes
from spacy_bigbird.pretraining.run import LogInterval, Run
from spacy_bigbird.pretraining.settings import PretrainingSettings
from spacy_bigbird.pretraining.throughput import matrix_product_limit

SIZES = {
    "tiny": {"hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 1024},
    "small": {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536},
    "base": {},
}
# Name: (mixed precision, gradient checkpointing)
CASES = {
    "fp32": (False, False),
    "fp32, checkpointing": (False, True),
    "autocast": (True, False),
    "autocast, checkpointing": (True, True),
}


def main() -> None:
    options = parser(__doc__, repeats=3)
    options.add_argument("--size", choices=SIZES, default="small", help="size of the model (default: small)")
    options.add_argument("--lengths", type=int, nargs="+", default=[512, 4096], help="pieces per sequence")
    options.add_argument("--batch-pieces", type=int, default=8192, help="pieces per step (default: 8192)")
    options.add_argument("--cases", nargs="+", choices=CASES, default=["fp32", "autocast"])
    options.add_argument("--whole-words", action="store_true", help="mask whole words")
    options.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    given = options.parse_args()
    torch.set_num_threads(given.threads)
    device = torch.device(given.device)
    limits = {mixed: matrix_product_limit(device, mixed, seconds=1.0) for mixed in (False, True)}
    rows = []
    for length in tqdm(given.lengths, desc="Lengths", unit="length"):
        rows += measure(length, given, limits)
    report(
        f"Pre-training step, {given.size} model, {given.batch_pieces:,} pieces",
        given,
        ["pieces", "case", "pieces/s", "±", "x fp32", "share of limit", "waiting"],
        rows,
        draw=lambda axes: draw(axes, rows),
        notes=[
            "Limit for matrix products: "
            + ", ".join(f"{limits[mixed] / 1e9:,.0f} GFLOP/s in {name}" for mixed, name in ((0, "fp32"), (1, "bf16"))),
            "waiting: share of a step's time spent waiting for its data.",
        ],
        device=given.device,
    )


def measure(length, given, limits):
    """Measure all cases in turns, on sequences of one length."""
    with ExitStack() as stack:
        steps = {name: Step(name, length, given, stack) for name in given.cases}
        timings = interleaved(steps, given.repeats, device=given.device)
    baseline = timings[given.cases[0]]
    for name, step in steps.items():
        timing, interval = timings[name], step.interval
        pieces = interval.pieces / interval.steps
        yield {
            "pieces": length,
            "case": name,
            "pieces/s": pieces / timing.median,
            "±": f"{timing.spread:.0%}",
            "x fp32": timing.times_faster_than(baseline),
            "share of limit": interval.operations / interval.steps / timing.median / limits[CASES[name][0]],
            "waiting": f"{step.waited / step.seconds:.1%}",
            "seconds": timing.seconds,
        }


class Step:
    """A case: a model with its optimizer and its own data path. Calling it performs one step."""

    def __init__(self, name, length, given, stack):
        mixed_precision, checkpointing = CASES[name]
        folder = data_dir()
        settings = PretrainingSettings.from_dict(
            {
                "paths": {
                    "train": str(folder / "wikispeedia" / "wikispeedia_articles.jsonl.xz"),
                    "vocab": str(folder / "vocab" / "gpt2.model"),
                },
                "model": {
                    "transformer_config": {**SIZES[given.size], "max_position_embeddings": max(4096, length)},
                    "gradient_checkpointing": checkpointing,
                },
                "masking": {"whole_words": given.whole_words},
                "training": {
                    "max_steps": 1_000_000,
                    "batch_pieces": given.batch_pieces,
                    "lengths": [[0, length]],
                    "mixed_precision": mixed_precision,
                    "device": given.device,
                },
            }
        )
        output = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.run = Run(settings, output, Processes(given.device), resume=False)
        self.loader = stack.enter_context(self.run.loader())
        self.batches = iter(self.loader)
        self.interval = LogInterval()
        self.waited = self.seconds = 0.0

    def __call__(self):
        start, waited = time.perf_counter(), self.loader.waited
        self.run.step(next(self.batches), self.interval)
        if self.interval.steps > 1:
            # The first batch could not be prepared during an earlier step.
            self.seconds += time.perf_counter() - start
            self.waited += self.loader.waited - waited


def draw(axes, rows):
    """Draw the pieces per second of each case and length."""
    lengths = sorted({row["pieces"] for row in rows})
    cases = list(dict.fromkeys(row["case"] for row in rows))
    width = 0.8 / len(cases)
    for number, case in enumerate(cases):
        heights = [next(row["pieces/s"] for row in rows if (row["pieces"], row["case"]) == (n, case)) for n in lengths]
        axes.bar([place + number * width for place in range(len(lengths))], heights, width, label=case)
    axes.set_xticks([place + 0.4 - width / 2 for place in range(len(lengths))], [f"{n:,} pieces" for n in lengths])
    axes.set_ylabel("pieces per second")
    axes.legend()


if __name__ == "__main__":
    main()
