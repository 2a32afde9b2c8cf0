"""Locates the corpora: converted files in the folder SPACY_BIGBIRD_DATA, or upstream files at fixed commits.

Nothing is downloaded if the environment variable is set. Otherwise, `weasel assets`, or this script for the assets of a
single workflow, downloads what `project.yml` lists.
"""

import gzip
import lzma
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import IO, Annotated, Any

import srsly
import typer
from wasabi import msg

from .command import run

VARIABLE = "SPACY_BIGBIRD_DATA"


@dataclass(frozen=True)
class Source:
    """The two forms of a corpus.

    converted (str): path relative to the folder SPACY_BIGBIRD_DATA.
    upstream (str): path relative to the project's folder.
    """

    converted: str
    upstream: str


SOURCES = {
    "litbank": Source("litbank/litbank_ner.jsonl.xz", "assets/litbank.tar.gz"),
    "novels": Source("raw_english_novels_98/english_novels_98.tar.xz", "assets/english_novels.tar.gz"),
    "wikispeedia": Source("wikispeedia/wikispeedia_articles.jsonl.xz", "assets/wikispeedia.tar.gz"),
    "cuad": Source("cuad/cuad_contracts.jsonl.xz", "assets/CUAD_v1.json"),
    "openstax": Source("openstax/openstax_docs.jsonl.xz", "assets/openstax"),
    "covid_qa": Source("covid_qa/covid_qa_ccby_squad.json.xz", "assets/covid_qa.tar.gz"),
}


@dataclass(frozen=True)
class Asset:
    """An available corpus.

    path (Path): the file or folder.
    is_converted (bool): whether it has the converted form.
    """

    path: Path
    is_converted: bool


def find(name: str, root: Path) -> Asset:
    """Find a corpus.

    name (str): a key of SOURCES.
    root (Path): the project's folder.
    RETURNS (Asset): the converted form if SPACY_BIGBIRD_DATA is set, else the upstream form.
    RAISES FileNotFoundError: it does not exist.
    """
    source, folder = SOURCES[name], os.environ.get(VARIABLE)
    path = Path(folder) / source.converted if folder else root / source.upstream
    if not path.exists():
        advice = (
            f"{VARIABLE} names the wrong folder"
            if folder
            else f"`python -m scripts.assets {name}` fetches it, or set {VARIABLE}"
        )
        raise FileNotFoundError(f"The corpus {name} is not at {path}: {advice}.")
    return Asset(path, bool(folder))


def open_text(path: Path) -> IO[str]:
    """Open a text file, plain or compressed with xz or gzip."""
    opener: Any = {".xz": lzma.open, ".gz": gzip.open}.get(path.suffix, open)
    return opener(path, "rt", encoding="utf8")


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Read the records of a .jsonl file, plain or compressed."""
    with open_text(path) as lines:
        for line in lines:
            if line.strip():
                yield srsly.json_loads(line)


def read_archive(path: Path, pattern: str) -> Iterator[tuple[str, str]]:
    """Read the texts of an archive one at a time.

    path (Path): a tar file, which may be compressed.
    pattern (str): a shell pattern, matched against whole names.
    YIELDS (tuple[str, str]): name and text of each file.
    """
    with tarfile.open(path) as archive:
        for member in archive:
            content = archive.extractfile(member) if fnmatch(member.name, pattern) else None
            if content is not None:
                yield member.name, content.read().decode("utf-8-sig")


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
