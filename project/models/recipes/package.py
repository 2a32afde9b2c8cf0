"""Build wheels of the pipelines that come with the repository: each head with its encoder, its card and its licences.

python -m project.models.recipes.package [--output build/packages]
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import srsly
from spacy.cli.package import package
from spacy.language import Language

import spacy_bigbird

from . import contracts, entities, heads, questions

SMALL = Path(__file__).parents[1] / "small"
# How to load what is in each folder: heads of the unchanged encoder, or changed layers too.
LOADERS: dict[str, Callable[..., Language]] = {
    contracts.FOLDER: heads.load,
    questions.FOLDER: questions.load,
    entities.FOLDER: heads.load,
}
CARD, LICENCE, SOURCES = "README.md", "LICENSE", "LICENSES_SOURCES"


def write_pipeline(head: Path, output: Path) -> Path:
    """Write a whole pipeline, as it goes into a package.

    head (Path): folder of the head, with its card, in that of the encoder.
    output (Path): folder for the pipeline's folder.
    RETURNS (Path): the pipeline's folder.
    """
    nlp = LOADERS[head.name](head, save_as="float16")
    nlp.meta["version"] = spacy_bigbird.__version__
    nlp.meta["performance"] = performance(srsly.read_json(head / heads.SCORES))
    folder = output / f"{nlp.meta['lang']}_{nlp.meta['name']}"
    folder.mkdir(parents=True, exist_ok=True)
    nlp.to_disk(folder)
    shutil.copy(head / CARD, folder / CARD)
    model_card = (head.parent / CARD).read_text(encoding="utf8")
    licence = model_card[model_card.index("## Licence") :].removeprefix("## Licence").strip()
    (folder / LICENCE).write_text(f"{nlp.meta['license']}\n\n{licence}\n", encoding="utf8")
    shutil.copy(head.parent / "LICENSE.Apache-2.0.txt", folder / SOURCES)
    return folder


def performance(scores: dict[str, Any]) -> dict[str, Any]:
    """RETURNS (dict[str, Any]): scores as meta.json has them: numbers by name, and by type where there are types."""
    of_all = {name: value["score"] if isinstance(value, dict) else value for name, value in scores["scores"].items()}
    by_type = {label: row.get("score", row.get("f")) for label, row in scores.get("by_type", {}).items()}
    return {**of_all, "f_per_type": by_type} if by_type else of_all


def build(head: Path, output: Path) -> Path:
    """Build the wheel of a head.

    head (Path): folder of the head in that of the encoder.
    output (Path): folder for the wheel.
    RETURNS (Path): the wheel.
    """
    work = output / "sources"
    work.mkdir(parents=True, exist_ok=True)
    folder = write_pipeline(head, work / "pipelines")
    package(folder, work, create_sdist=False, create_wheel=False, force=True)
    source = work / f"{folder.name}-{spacy_bigbird.__version__}"
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(output), str(source)]
    subprocess.run(command, check=True)
    (wheel,) = output.glob(f"{folder.name}-{spacy_bigbird.__version__}-*.whl")
    return wheel


def main(arguments: Sequence[str] | None = None) -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--output", type=Path, default=Path("build/packages"), help="folder for the wheels")
    output = options.parse_args(arguments).output
    for name in LOADERS:
        wheel = build(SMALL / name, output)
        print(f"{wheel} ({wheel.stat().st_size / 1e6:.1f} MB)")


if __name__ == "__main__":
    main()
