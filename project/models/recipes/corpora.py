"""Defines which documents the models learn from, and which are held out.

Fields `split` of the data are used as they are. Trial articles are split by a number derived from their name. Of the
novels, the latest of each author is held out because author attribution tests on it, and so are those whose excerpts
are in LitBank's development and test splits.
"""

import hashlib
import json
import lzma
import os
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

SEED = 13
# One of this many trial articles is for development, and one for testing.
TRIALS_APART = 20
# The novels of which LitBank's development and test splits contain an excerpt.
LITBANK_NOVELS = ("Chesterton_Thursday_1908", "Haggard_Mines_1885", "Hardy_Tess_1891", "Stevenson_Treasure_1883")
PARTS = ("train", "dev", "test")
FILES = {
    "encyclopedia": "wikispeedia/wikispeedia_articles.jsonl.xz",
    "contracts": "cuad/cuad_contracts.jsonl.xz",
    "textbooks": "openstax/openstax_docs.jsonl.xz",
    "trials": "raw_pmc_rct_ccby/pmc_rct_ccby_articles.tar.xz",
    "novels": "raw_english_novels_98/english_novels_98.tar.xz",
}


def data_directory() -> Path:
    """Get the folder of the data.

    RETURNS (Path): the folder.
    RAISES SystemExit: the environment variable is not set.
    """
    if not os.environ.get("SPACY_BIGBIRD_DATA"):
        raise SystemExit("Set SPACY_BIGBIRD_DATA to the folder of the data (wikispeedia/, cuad/, ...).")
    return Path(os.environ["SPACY_BIGBIRD_DATA"])


def part_of_trial(name: str) -> str:
    """Get the split of a trial article.

    name (str): name of the article, such as "PMC1079844".
    RETURNS (str): "train", "dev" or "test".
    """
    drawn = int.from_bytes(hashlib.sha256(f"{SEED}:{name}".encode()).digest()[:8], "big") % TRIALS_APART
    return {0: "dev", 1: "test"}.get(drawn, "train")


def parts_of_novels(names: Iterable[str]) -> dict[str, str]:
    """Split the novels.

    names (Iterable[str]): all novels, as `Author_Title_Year`.
    RETURNS (dict[str, str]): the split of each novel. The latest novel of an author with several is "test"; others with
        an excerpt in LitBank's development or test split are "dev".
    """
    by_author: dict[str, list[str]] = {}
    for name in sorted(names):
        by_author.setdefault(name.split("_")[0], []).append(name)
    latest = {
        max(novels, key=lambda name: (int(name.rsplit("_", 1)[1]), name))
        for novels in by_author.values()
        if len(novels) > 1
    }
    return {
        name: "test" if name in latest else "dev" if name in LITBANK_NOVELS else "train"
        for novels in by_author.values()
        for name in novels
    }


def read_corpus(name: str, data: Path) -> Iterator[tuple[str, str, str]]:
    """Read a corpus.

    It is a .jsonl.xz file with `id`, `split` and `text`, a .tar.xz archive of text files, or, if there is no archive, a
    folder of the same name without suffixes that contains the text files of the original repository.

    name (str): a key of FILES.
    data (Path): folder of the data.
    YIELDS (tuple[str, str, str]): id, split and text of each document, sorted by id if the file has no order.
    """
    path = data / FILES[name]
    if path.name.endswith(".jsonl.xz"):
        with lzma.open(path, "rt", encoding="utf-8") as file:
            for line in file:
                document = json.loads(line)
                yield document["id"], document["split"], document["text"]
        return
    folder = path.parent / path.name.removesuffix(".tar.xz")
    texts = dict(_text_files(folder) if folder.is_dir() else _texts_of_archive(path))
    parts = parts_of_novels(texts) if name == "novels" else {key: part_of_trial(key) for key in texts}
    for key in sorted(texts):
        yield key, parts[key], texts[key]


def _texts_of_archive(path: Path) -> Iterator[tuple[str, str]]:
    with tarfile.open(path) as archive:
        for member in archive:
            file = archive.extractfile(member)
            if file is not None and member.name.endswith(".txt"):
                yield Path(member.name).stem, file.read().decode("utf-8", errors="replace")


def _text_files(folder: Path) -> Iterator[tuple[str, str]]:
    for file in folder.rglob("*.txt"):
        yield file.stem, file.read_text(encoding="utf-8", errors="replace")
