"""Fetch the corpora of a workflow.

Nothing is downloaded if SPACY_BIGBIRD_DATA is set. Otherwise, `weasel assets`, or this step for the assets of a single
workflow, downloads what `project.yml` lists.
"""

import os
from pathlib import Path
from typing import Annotated

import srsly
import typer
from wasabi import msg

from ..library.command import run
from ..library.sources import SOURCES, VARIABLE, find


def fetch(names: list[str], root: Path) -> None:
    """Download the corpora that are missing.

    names (list[str]): keys of SOURCES.
    root (Path): the project's folder.
    RAISES FileNotFoundError: a corpus could not be obtained.
    """
    if not os.environ.get(VARIABLE):
        from weasel.cli.assets import fetch_asset

        described = {asset["dest"]: asset for asset in srsly.read_yaml(root / "project.yml")["assets"]}
        for name in names:
            upstream = SOURCES[name].upstream
            for dest, asset in described.items():
                # A corpus that consists of several files has a folder.
                if f"{dest}/".startswith(f"{upstream}/") and not (root / dest).exists():
                    fetch_asset(root, asset["url"], Path(dest), asset.get("checksum"))
    for name in names:
        msg.good(f"{name}: {find(name, root).path}")


def main(
    names: Annotated[list[str], typer.Argument(help=f"Corpora: {', '.join(SOURCES)}")],
    check: Annotated[bool, typer.Option(help="Only check whether they are there")] = False,
) -> None:
    """Fetch the corpora of a workflow; nothing is fetched if SPACY_BIGBIRD_DATA is set."""
    root = Path.cwd()
    try:
        if not check:
            fetch(names, root)
        for name in names:
            find(name, root)
    except FileNotFoundError as error:
        msg.fail(str(error), exits=1)


if __name__ == "__main__":
    run(main)
