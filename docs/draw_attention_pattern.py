"""Draw which key blocks each query block of a document reads: docs/attention_pattern.png."""

from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from spacy_bigbird.model import BigBirdConfig
from spacy_bigbird.plan.pattern import MISSING, random_blocks

KINDS = {"not read": "#f2f2f2", "global": "#3b6ea8", "window": "#8fbf6f", "random": "#e08a3c"}
NAMES = list(KINDS)


def pattern(config: BigBirdConfig, layer: int, head: int, num_blocks: int) -> np.ndarray:
    """Determine the kind of every pair of blocks.

    config (BigBirdConfig): configuration of the model.
    layer, head (int): indices of the layer and the head.
    num_blocks (int): number of blocks in the document.
    RETURNS (ndarray): the kind of each pair of a query block and a key block. Shape: (num_blocks, num_blocks).
    """
    kinds = np.full((num_blocks, num_blocks), NAMES.index("not read"))
    for query, drawn in enumerate(random_blocks(config, layer, num_blocks)[head], start=1):
        kinds[query, drawn[drawn != MISSING]] = NAMES.index("random")
        kinds[query, query - 1 : query + 2] = NAMES.index("window")
    kinds[:, [0, -1]] = kinds[[0, -1], :] = NAMES.index("global")
    return kinds


def main() -> None:
    config, num_blocks = BigBirdConfig(), 40
    figure, both = pyplot.subplots(1, 2, figsize=(10, 5.6), layout="constrained")
    for head, axes in enumerate(both):
        axes.imshow(pattern(config, 0, head, num_blocks), cmap=ListedColormap(list(KINDS.values())), vmin=0, vmax=3)
        axes.set(title=f"layer 0, head {head}", xlabel="key block", ylabel="query block")
    figure.legend(
        handles=[Patch(color=color, label=name) for name, color in KINDS.items()], loc="outside lower center", ncols=4
    )
    figure.suptitle(
        f"A document of {num_blocks * config.block_size:,} pieces in {num_blocks} blocks of {config.block_size}"
    )
    figure.savefig(Path(__file__).with_name("attention_pattern.png"), dpi=110)


if __name__ == "__main__":
    main()
