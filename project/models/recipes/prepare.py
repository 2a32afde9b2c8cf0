"""Write the texts of each corpus and split to OUTPUT/SPLIT/CORPUS.jsonl in a fixed random order, and a table of counts.

If there are all corpora, also write OUTPUT/train/mix.jsonl and OUTPUT/dev/mix.jsonl: documents of all corpora in random
order, with given shares of characters. Long documents are split between paragraphs there, so that no novel fills a
whole batch.
"""

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path

from .corpora import FILES, PARTS, SEED, data_directory, read_corpus

# Shares of the characters in the mix. Prose has more than its size suggests, because it is rich in names and people.
SHARES = {"novels": 0.35, "encyclopedia": 0.30, "textbooks": 0.13, "contracts": 0.12, "trials": 0.10}
MIX_CHARACTERS = {"train": 120_000_000, "dev": 4_000_000}
# About twice as long as 4,096 pieces.
LONGEST = 40_000


def stretches(text: str, longest: int = LONGEST) -> Iterator[str]:
    """Split a text into stretches of about the same length, between paragraphs if possible.

    text (str): the text.
    longest (int): maximum length of a stretch. Unit: characters.
    YIELDS (str): the stretches, which together make up the text.
    """
    count = -(-len(text) // longest)
    start = 0
    for left in range(count, 1, -1):
        end = start + (len(text) - start) // left
        cut = text.rfind("\n", start + 1, end)
        if cut > start and len(text) - cut <= (left - 1) * longest:
            end = cut
        yield text[start:end]
        start = end
    yield text[start:]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("output", type=Path)
    options.add_argument("--corpora", nargs="+", choices=FILES, default=list(FILES))
    given = options.parse_args()
    counts: dict[str, dict[str, dict[str, int]]] = {}
    mixes: dict[str, list[dict[str, str]]] = {part: [] for part in MIX_CHARACTERS}
    for name in given.corpora:
        documents = list(read_corpus(name, data_directory()))
        random.Random(SEED).shuffle(documents)
        for part in PARTS:
            chosen = [{"id": key, "text": text} for key, kept, text in documents if kept == part and text.strip()]
            write(given.output / part / f"{name}.jsonl", chosen)
            counts.setdefault(name, {})[part] = counted(name, part, chosen)
            if part in mixes:
                mixes[part] += share_of_mix(chosen, int(SHARES[name] * MIX_CHARACTERS[part]))
    if set(given.corpora) == set(FILES):
        for part, chosen in mixes.items():
            random.Random(SEED).shuffle(chosen)
            write(given.output / part / "mix.jsonl", chosen)
            counts.setdefault("mix", {})[part] = counted("mix", part, chosen)
        (given.output / "counts.json").write_text(json.dumps(counts, indent=2) + "\n")


def share_of_mix(documents: list[dict[str, str]], characters: int) -> list[dict[str, str]]:
    """Sample the share of a corpus in the mix.

    documents (list[dict[str, str]]): documents with `id` and `text`.
    characters (int): maximum number of characters.
    RETURNS (list[dict[str, str]]): random stretches of the documents.
    """
    parts = [{"id": document["id"], "text": part} for document in documents for part in stretches(document["text"])]
    random.Random(SEED).shuffle(parts)
    chosen = []
    for part in parts:
        characters -= len(part["text"])
        if characters < 0:
            break
        chosen.append(part)
    return chosen


def write(path: Path, documents: list[dict[str, str]]) -> None:
    """Write documents. path (Path): the .jsonl file. documents (list[dict[str, str]]): its lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for document in documents:
            file.write(json.dumps(document, ensure_ascii=False) + "\n")


def counted(name: str, part: str, documents: list[dict[str, str]]) -> dict[str, int]:
    """Count and print. RETURNS (dict[str, int]): number of documents and characters."""
    size = sum(len(document["text"]) for document in documents)
    print(f"{name:14}{part:7}{len(documents):7,} documents {size:13,} characters")
    return {"documents": len(documents), "characters": size}


if __name__ == "__main__":
    main()
