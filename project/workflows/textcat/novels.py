"""Novels: which are read, how they are split by author, and how they are cut into excerpts."""

import math
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from spacy_bigbird.tokenizer import BigBirdTokenizer

from ..library.corpus import SPLIT_SEED
from ..library.sources import Asset, read_archive

# Novels of authors with several that are for development.
DEV_NOVELS = 10
# Share of the encoder that excerpts fill on average, since they are split at the ends of paragraphs.
FILLED = 0.9
# Later novels are not yet in the public domain everywhere; others were published anonymously.
LAST_YEAR, WITHOUT_NAME = 1930, "Anon"
SHORTEST_LINE = 80


def read_novels(asset: Asset) -> Iterator[tuple[str, str]]:
    """Read the novels from either form: both are archives. YIELDS (tuple[str, str]): `Author_Title_Year`, text."""
    for name, text in read_archive(asset.path, "*_????.txt"):
        author, _, year = Path(name).stem.split("_")
        if author != WITHOUT_NAME and int(year) <= LAST_YEAR:
            yield Path(name).stem, without_title(text)


def without_title(text: str) -> str:
    """RETURNS (str): the text from its first long line on, since title lines name the author."""
    lines = text.splitlines()
    start = next((number for number, line in enumerate(lines) if len(line) >= SHORTEST_LINE), 0)
    return "\n\n".join(line.strip() for line in lines[start:] if line.strip())


def split_novels(names: Sequence[str], seed: int = SPLIT_SEED) -> dict[str, str]:
    """Use the latest novel of each author for testing, and an earlier one of some authors for development.

    names (Sequence[str]): the novels, as `Author_Title_Year`.
    seed (int): seed of the choice.
    RETURNS (dict[str, str]): the split of each novel. Every author has a novel for training.
    """
    by_author: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names, key=lambda name: (name.rpartition("_")[2], name)):
        by_author[name.partition("_")[0]].append(name)
    split = {name: "train" for name in names}
    split |= {novels[-1]: "test" for novels in by_author.values() if len(novels) > 1}
    with_three = [novels for _, novels in sorted(by_author.items()) if len(novels) > 2]
    drawn = random.Random(seed).sample(with_three, min(DEV_NOVELS, len(with_three)))
    return split | {random.Random(f"{seed}-{novels[0]}").choice(novels[:-1]): "dev" for novels in drawn}


def cut(text: str, tokenizer: BigBirdTokenizer, capacity: int) -> list[str]:
    """Split a text into parts of equal length, between paragraphs, or between words if a paragraph is too long.

    text (str): paragraphs separated by empty lines.
    tokenizer (BigBirdTokenizer): counts the pieces.
    capacity (int): maximum number of pieces in a part.
    RETURNS (list[str]): the parts, which together contain the whole text.
    """
    units = [unit for paragraph in text.split("\n\n") for unit in _units(paragraph, tokenizer, capacity // 2)]
    total = sum(length for _, length in units)
    wanted = total / max(1, math.ceil(total / (FILLED * capacity)))
    parts: list[list[str]] = [[]]
    in_all = in_part = 0
    for unit, length in units:
        if parts[-1] and (in_part + length > capacity or in_all + length / 2 > wanted * len(parts)):
            parts.append([])
            in_part = 0
        parts[-1].append(unit)
        in_part += length
        in_all += length
    return ["\n\n".join(part) for part in parts]


def _units(paragraph: str, tokenizer: BigBirdTokenizer, limit: int) -> Iterator[tuple[str, int]]:
    """YIELDS (tuple[str, int]): a paragraph and its number of pieces, halved repeatedly until the parts are short."""
    words, length = paragraph.split(" "), len(tokenizer.text_ids([paragraph], num_threads=1)[0]) + 1
    if length <= limit or len(words) == 1:
        yield paragraph, length
        return
    for half in (words[: len(words) // 2], words[len(words) // 2 :]):
        yield from _units(" ".join(half), tokenizer, limit)
