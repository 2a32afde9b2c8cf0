"""Speed of the encoder in Flax, compiled for the CPU, against PyTorch: pieces per second, and time to compile."""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from common import interleaved, parser, report
from tqdm import tqdm

from spacy_bigbird.model import BigBirdConfig, BigBirdModel

# This script has the name of a package that is about to be imported, and its folder comes first.
sys.path = [folder for folder in sys.path if Path(folder).resolve() != Path(__file__).resolve().parent]

from spacy_bigbird.flax import FlaxBigBirdModel  # noqa: E402

FLAX, PYTORCH = "Flax", "PyTorch"


def main() -> None:
    options = parser(__doc__, repeats=5)
    options.add_argument("--lengths", type=int, nargs="+", default=[512, 1024, 4096])
    options.add_argument("--layers", type=int, default=2)
    options.add_argument("--width", type=int, default=768)
    given = options.parse_args()
    torch.set_num_threads(given.threads)
    heads = max(given.width // 64, 1)
    config = BigBirdConfig(
        vocab_size=1000,
        hidden_size=given.width,
        num_hidden_layers=given.layers,
        num_attention_heads=heads,
        intermediate_size=4 * given.width,
        max_position_embeddings=max(4096, *given.lengths),
    )
    with tempfile.TemporaryDirectory() as folder:
        ours = BigBirdModel(config).eval()
        ours.save_pretrained(folder)
        theirs = FlaxBigBirdModel.from_pretrained(folder)
    rows = []
    for length in tqdm(given.lengths, desc="Lengths", unit="length"):
        ids = np.random.default_rng(0).integers(0, config.vocab_size, (1, length))
        start = time.perf_counter()
        flax_states = np.asarray(theirs(ids).last_hidden_state)
        compiled = time.perf_counter() - start
        torch_ids = torch.tensor(ids)
        difference = float(np.abs(flax_states - states(ours, torch_ids).numpy()).max())
        contestants = {
            FLAX: lambda ids=ids: theirs(ids).last_hidden_state.block_until_ready(),
            PYTORCH: lambda ids=torch_ids: states(ours, ids),
        }
        timings = interleaved(contestants, given.repeats)
        for name, timing in timings.items():
            rows.append(
                {
                    "pieces": length,
                    "models": name,
                    "pieces per second": length / timing.median,
                    "±": f"{timing.spread:.0%}",
                    "x PyTorch": timing.times_faster_than(timings[PYTORCH]),
                    "compiled in s": compiled if name == FLAX else None,
                    "largest difference": difference if name == FLAX else None,
                }
            )
    report(
        f"{given.layers} layers of width {given.width}, fp32, one document",
        given,
        ["pieces", "models", "pieces per second", "±", "x PyTorch", "compiled in s", "largest difference"],
        rows,
    )


@torch.no_grad()
def states(model: BigBirdModel, ids: torch.Tensor) -> torch.Tensor:
    return model(ids).last_hidden_state


if __name__ == "__main__":
    main()
