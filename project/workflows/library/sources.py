"""Where the corpora are: converted files in the folder SPACY_BIGBIRD_DATA, or upstream files at fixed commits."""

import gzip
import lzma
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import IO, Any

import srsly

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
            else f"`python -m workflows.steps.assets {name}` fetches it, or set {VARIABLE}"
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
