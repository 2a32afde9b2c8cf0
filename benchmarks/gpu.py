"""Attention engines on a GPU: first whether each equals the reference there, then speed and memory in bf16.

Measured are a forward pass and a training step of an encoder of BigBird's base size, at 1,024 to 65,536 pieces, beside
transformers' BigBird and dense attention (flash). All contestants run in turns, so ratios hold on a shared machine. A
contestant that fails, because it runs out of memory or PyTorch cannot compile it, has its error in the table.
"""

import argparse
import time

import torch
from common import MEGABYTE, interleaved, parser, report
from figures import mark_lengths
from tqdm import tqdm

from spacy_bigbird.model import BigBirdConfig, BigBirdModel
from spacy_bigbird.model.attention.api import attend
from spacy_bigbird.model.attention.engines import ENGINES
from spacy_bigbird.plan.attention import AttentionPlan
from spacy_bigbird.plan.packing import plan_packing

TRANSFORMERS, DENSE = "transformers", "dense, flash"
CASES = [
    ("one document", [1500], "paper"),
    ("many documents", [700, 60, 1100, 2000], "paper"),
    ("block 0 counted again", [900, 1300], "huggingface"),
    ("no random blocks", [1200], "none"),
]
# Longest inputs that finish within the script's time, and fit in memory.
LONGEST = {TRANSFORMERS: 16384, "reference": 4096, "cpu": 4096}
TINY = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64, "block_size": 16}


def main() -> None:
    options = parser(__doc__, repeats=5)
    options.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options.add_argument("--lengths", type=int, nargs="+", default=[1024, 4096, 16384, 65536])
    options.add_argument("--layers", type=int, default=2, help="layers of base size (default: 2)")
    options.add_argument("--seconds", type=float, default=240, help="begin nothing new after this time")
    options.add_argument("--tiny", action="store_true", help="toy sizes, to try the script without a GPU")
    given = options.parse_args()
    if given.tiny:
        given.lengths, given.layers, given.repeats = [256, 512], 1, 1
    checks = check_engines(given)
    rows = measure(given, time.monotonic() + given.seconds)
    report(
        f"Attention engines on {given.device}, {given.layers} layer(s), bf16",
        given,
        ["mode", "pieces", "contestant", "ms", "±", "x transformers", "memory MB", "error"],
        rows,
        draw=lambda axes: draw(axes, rows),
        notes=[f"{check['engine']}, {check['case']}: {check['result']}" for check in checks],
        device=given.device,
    )


def check_engines(given: argparse.Namespace) -> list[dict[str, str]]:
    """Compare every engine with the reference on the device, in fp32, forward and backward.

    given (Namespace): the options.
    RETURNS (list[dict[str, str]]): for each engine and case, the largest differences relative to the largest value, or
        what the engine refuses or fails with.
    """
    results = []
    fields = TINY if given.tiny else {}
    for case, lengths, pattern in CASES:
        config = BigBirdConfig(**{**fields, "random_pattern": pattern, "full_attention_up_to": 512})
        plan = AttentionPlan(config, 0, plan_packing([n // (4 if given.tiny else 1) for n in lengths], config))
        rows, width = sum(plan.packing.row_counts), config.hidden_size
        generator = torch.Generator().manual_seed(0)
        projections = torch.randn(rows, 3 * width, generator=generator).to(given.device)
        weights = torch.zeros(rows, width)
        weights[torch.from_numpy(plan.packing.piece_rows)] = torch.randn(sum(plan.packing.lengths), width)
        weights = weights.to(given.device)
        expected = both_passes(projections, plan, "reference", weights)
        for engine in ENGINES:
            if engine != "reference":
                result = compare(projections, plan, engine, weights, expected)
                results.append({"engine": engine, "case": case, "result": result})
    return results


def both_passes(projections, plan, engine, weights):
    """Compute the output of the pieces and the gradient of the projections."""
    projections = projections.clone().requires_grad_()
    output = attend(projections, plan, engine)
    gradient = torch.autograd.grad((output * weights).sum(), projections)[0]
    return (output * (weights != 0)).detach(), gradient


def compare(projections, plan, engine, weights, expected) -> str:
    try:
        found = both_passes(projections, plan, engine, weights)
    except Exception as error:  # a compiler raises almost anything, which is the result here
        return f"{type(error).__name__}: {str(error).splitlines()[0][:120]}"
    forward, backward = (
        ((ours - theirs).abs().max() / theirs.abs().max()).item() for ours, theirs in zip(found, expected, strict=True)
    )
    return f"forward {forward:.1e}, backward {backward:.1e}"


def contestant(name, length, given, training):
    """Build a contestant and return the function to time: a forward pass, or forward and backward."""
    torch.manual_seed(0)
    shape = {**(TINY if given.tiny else {}), "vocab_size": 1000, "num_hidden_layers": given.layers}
    shape |= {"max_position_embeddings": max(4096, length), "hidden_dropout_prob": 0.0}
    shape |= {"attention_probs_dropout_prob": 0.0}
    ids = torch.randint(3, 1000, (length,)).to(given.device)
    if name == TRANSFORMERS:
        from transformers import BigBirdConfig as ReferenceConfig
        from transformers import BigBirdModel as ReferenceModel

        model = ReferenceModel(ReferenceConfig(**shape), add_pooling_layer=False).to(given.device).train(training)
        forward = lambda: model(ids[None]).last_hidden_state  # noqa: E731
    else:
        dense = {"attention_type": "original_full"} if name == DENSE else {}
        model = BigBirdModel(BigBirdConfig(**shape, **dense), add_pooling_layer=False).to(given.device).train(training)
        model.attention_engine = "auto" if name == DENSE else name
        forward = lambda: model.forward_packed(ids, [length])  # noqa: E731

    def work() -> None:
        with torch.set_grad_enabled(training), torch.autocast(torch.device(given.device).type, torch.bfloat16):
            output = forward()
        if training:
            model.zero_grad()
            output.float().square().mean().backward()

    return work


def measure(given: argparse.Namespace, until: float) -> list[dict]:
    rows = []
    for length in tqdm(given.lengths, desc="Lengths", unit="length"):
        for training in (False, True):
            mode, cases, memory = "training" if training else "inference", {}, {}
            for name in (TRANSFORMERS, DENSE, *ENGINES):
                if time.monotonic() > until or length > LONGEST.get(name, length):
                    continue
                try:
                    work = contestant(name, length, given, training)
                    memory[name] = peak_memory(work, given.device)
                    cases[name] = work
                except Exception as error:  # too little memory, or a refusal: the row says which
                    what = f"{type(error).__name__}: {str(error).splitlines()[0][:80]}"
                    rows.append({"mode": mode, "pieces": length, "contestant": name, "error": what})
            timings = interleaved(cases, given.repeats, device=given.device)
            for name, timing in timings.items():
                faster = timing.times_faster_than(timings[TRANSFORMERS]) if TRANSFORMERS in timings else ""
                rows.append(
                    {
                        "mode": mode,
                        "pieces": length,
                        "contestant": name,
                        "ms": timing.median * 1e3,
                        "±": f"{timing.spread:.0%}",
                        "x transformers": faster,
                        "memory MB": memory[name],
                        "error": "",
                    }
                )
    return rows


def peak_memory(work, device: str) -> float | str:
    """Run a contestant twice, the first time to compile, and measure its peak memory on the device. Unit: MB."""
    work()
    if not device.startswith("cuda"):
        return ""
    torch.cuda.reset_peak_memory_stats(device)
    work()
    return torch.cuda.max_memory_allocated(device) / MEGABYTE


def draw(axes, rows) -> None:
    measured = [row for row in rows if row["mode"] == "training" and "ms" in row]
    for name in dict.fromkeys(row["contestant"] for row in measured):
        points = [(row["pieces"], row["ms"]) for row in measured if row["contestant"] == name]
        axes.plot(*zip(*points, strict=True), marker="o", label=name)
    axes.set(xscale="log", yscale="log", xlabel="pieces in a document", ylabel="milliseconds of a training step")
    mark_lengths(axes, {row["pieces"] for row in measured})
    axes.legend()


if __name__ == "__main__":
    main()
