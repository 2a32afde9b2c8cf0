"""Speed of the attention alone, in a base-size layer: block-sparse, the same with masked dense attention, plain dense.

Masked dense attention shows what "simulating" sparse attention costs; plain dense is PyTorch's own fused attention.
"""

import torch
import torch.nn.functional as F
from common import interleaved, parser, report
from figures import mark_lengths
from tqdm import tqdm

from spacy_bigbird.model import BigBirdConfig
from spacy_bigbird.model.attention.engines.reference import key_counts
from spacy_bigbird.model.cpu.block_sparse import block_sparse_attention
from spacy_bigbird.model.cpu.dense import dense_attention
from spacy_bigbird.plan.pattern import key_blocks

SPARSE, DENSE, MASKED = "block-sparse", "dense", "dense with a mask"
CONFIG = BigBirdConfig()
LONGEST_MASK = 4096


def main() -> None:
    options = parser(__doc__, repeats=7)
    options.add_argument("--lengths", type=int, nargs="+", default=[512, 1024, 2048, 4096, 8192, 16384])
    given = options.parse_args()
    torch.set_num_threads(given.threads)
    rows = []
    for length in tqdm(given.lengths, desc="Lengths", unit="length"):
        for dtype in (torch.float32, torch.bfloat16):
            for backward in (False, True):
                timings = interleaved(contestants(length, dtype, backward), given.repeats)
                for name, timing in timings.items():
                    rows.append(
                        {
                            "pieces": length,
                            "dtype": str(dtype).removeprefix("torch."),
                            "passes": "forward + backward" if backward else "forward",
                            "attention": name,
                            "ms": timing.median * 1e3,
                            "±": f"{timing.spread:.0%}",
                            "x dense": timing.times_faster_than(timings[DENSE]),
                        }
                    )
    report(
        "Attention of one document, 12 heads of 64, blocks of 64, 3 random blocks",
        given,
        ["pieces", "dtype", "passes", "attention", "ms", "±", "x dense"],
        rows,
        draw=lambda axes: draw(axes, rows),
    )


def contestants(length, dtype, backward):
    heads = CONFIG.num_attention_heads
    rows = -(-length // CONFIG.block_size) * CONFIG.block_size
    projections = torch.randn(rows, 3 * CONFIG.hidden_size).to(dtype).requires_grad_(backward)
    blocks = rows // CONFIG.block_size
    keys = key_blocks(CONFIG, 0, blocks, blocks)
    forward = {
        SPARSE: lambda: block_sparse_attention(projections, keys, length, heads),
        DENSE: lambda: dense_attention(projections[:length], heads),
    }
    if length <= LONGEST_MASK:
        mask = key_counts(CONFIG, 0, length, blocks).bool()
        forward[MASKED] = lambda: masked(projections[:length], mask)
    return {name: (lambda f=function: run(f, backward)) for name, function in forward.items()}


def masked(projections, mask):
    query, key, value = projections.unflatten(1, (3, len(mask), -1)).permute(1, 2, 0, 3)[:, None]
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)


def run(function, backward):
    with torch.set_grad_enabled(backward):
        output = function()
    if backward:
        output.sum().backward()


def draw(axes, rows):
    for name in (SPARSE, DENSE, MASKED):
        points = [
            (row["pieces"], row["ms"])
            for row in rows
            if (row["attention"], row["dtype"], row["passes"]) == (name, "float32", "forward")
        ]
        axes.plot(*zip(*points, strict=True), marker="o", label=f"{name}, fp32, forward")
    axes.set(xscale="log", yscale="log", xlabel="pieces in a document", ylabel="milliseconds")
    mark_lengths(axes, {row["pieces"] for row in rows})
    axes.legend()


if __name__ == "__main__":
    main()
