"""Sections of textbooks with their review questions, from either form of the corpus, and the word-overlap baseline."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import numpy as np

from ..library.corpus import split_by_shares
from ..library.sources import Asset, read_archive, read_json_lines

MODULES = "*/modules/*/index.cnxml"
SHORTEST = 300
# Figures and tables contain captions, and exercises contain the questions.
LEFT_OUT = {"exercise", "figure", "table", "metadata", "glossary"}
LETTERS = "ABCDEFGH"
WORD = re.compile(r"\w+")
WINDOW = 25
Choice = dict[str, Any]


@dataclass(frozen=True)
class Section:
    """A section of a textbook.

    name (str): book and number.
    subject (str): the book.
    split (str): "train", "dev" or "test".
    text (str): the text without the exercises.
    choices (list[dict]): questions with `question`, `options` and `answer`, the index of the correct option.
    """

    name: str
    subject: str
    split: str
    text: str
    choices: list[Choice]


def read_openstax(asset: Asset) -> Iterator[Section]:
    """Read the sections that have questions, from either form.

    asset (Asset): the converted sections, next to which are the questions, or a folder with the archive of each book.
    YIELDS (Section): the sections.
    """
    if asset.is_converted:
        choices: dict[str, list[Choice]] = defaultdict(list)
        for row in read_json_lines(asset.path.parent / "openstax_multiple_choice.jsonl.xz"):
            choices[row["doc_id"]].append({key: row[key] for key in ("question", "options", "answer")})
        for row in read_json_lines(asset.path):
            if row["id"] in choices:
                yield Section(row["id"], row["subject"], row["split"], row["text"], choices[row["id"]])
        return
    for path in sorted(asset.path.glob("*.tar.gz")):
        book = path.name.removesuffix(".tar.gz")
        modules = {f"{book}/{name.split('/')[-2]}": read_module(text) for name, text in read_archive(path, MODULES)}
        modules = {name: module for name, module in modules.items() if len(module[0].split()) >= SHORTEST}
        splits = split_by_shares(modules, (0.8, 0.1))
        for name, (text, asked) in sorted(modules.items()):
            if asked:
                yield Section(name, book, splits[name], text, asked)


def read_module(content: str) -> tuple[str, list[Choice]]:
    """Read a section of a book.

    content (str): the section as CNXML.
    RETURNS (tuple[str, list[Choice]]): its titles and paragraphs separated by empty lines, and its exercises that have
        at least three options and a letter as the solution.
    """
    document = ElementTree.fromstring(content)
    parts = [_text(child) for child in document if _name(child) == "title"]
    for body in document:
        if _name(body) == "content":
            parts += _paragraphs(body)
    found = (_choice(exercise) for exercise in document.iter() if _name(exercise) == "exercise")
    return "\n\n".join(part for part in parts if part), [choice for choice in found if choice is not None]


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(element: ElementTree.Element) -> str:
    return " ".join("".join(element.itertext()).split())


def _paragraphs(element: ElementTree.Element) -> Iterator[str]:
    for child in element:
        if _name(child) in ("para", "title"):
            yield _text(child)
        elif _name(child) not in LEFT_OUT:
            yield from _paragraphs(child)


def _choice(exercise: ElementTree.Element) -> Choice | None:
    parts = {_name(part): part for part in exercise}
    if "problem" not in parts or "solution" not in parts:
        return None
    options = [_text(item) for item in parts["problem"].iter() if _name(item) == "item"]
    question = " ".join(_text(para) for para in parts["problem"] if _name(para) == "para")
    letter = _text(parts["solution"]).rstrip(".").upper()
    if len(options) < 3 or not question or letter not in LETTERS[: len(options)] or not letter:
        return None
    return {"question": question, "options": options, "answer": LETTERS.index(letter)}


class WordOverlap:
    """Chooses the option that shares the most words, together with the question, with a short stretch of the section.

    texts (Iterable[str]): documents that determine which words are rare.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._documents = 0
        self._with: Counter[str] = Counter()
        for text in texts:
            self._documents += 1
            self._with.update(set(words(text)))

    def weight(self, word: str) -> float:
        """RETURNS (float): weight of a word, which is higher for rarer words."""
        return math.log(1 + self._documents / max(1, self._with[word]))

    def scores(self, text: str, choice: Choice, window: int = WINDOW) -> list[tuple[float, float]]:
        """Find the best stretch of text for each option.

        text (str): text of the document.
        choice (Choice): question and options.
        window (int): length of a stretch. Unit: words.
        RETURNS (list[tuple[float, float]]): for each option, the total weight of the words that its best stretch shares
            with question and option, and where in the document this stretch ends, from 0 to 1.
        """
        places: dict[str, list[int]] = defaultdict(list)
        for place, word in enumerate(words(text)):
            places[word].append(place)
        asked = set(words(choice["question"]))
        number = sum(map(len, places.values()))
        length = number + window
        question = self._covered(asked, places, length, window)
        found = []
        for option in choice["options"]:
            both = question + self._covered(set(words(option)) - asked, places, length, window)
            best = int(both.argmax())
            found.append((float(both[best]), min(1.0, best / max(1, number))))
        return found

    def _covered(self, wanted: set[str], places: dict[str, list[int]], length: int, window: int) -> np.ndarray:
        """Compute the total weight of the wanted words in the window that ends at each place."""
        total = np.zeros(length)
        for word in sorted(wanted & places.keys()):
            changes = np.zeros(length + 1)
            np.add.at(changes, places[word], 1)
            np.add.at(changes, np.asarray(places[word]) + window, -1)
            total += self.weight(word) * (np.cumsum(changes)[:-1] > 0)
        return total

    def points(self, text: str, choice: Choice) -> float:
        """RETURNS (float): 1 if the correct option is chosen, less if it ties with others for the highest score."""
        scores = [score for score, _ in self.scores(text, choice)]
        best = [number for number, score in enumerate(scores) if score == max(scores)]
        return (choice["answer"] in best) / len(best)


def words(text: str) -> list[str]:
    """RETURNS (list[str]): the lowercased words of a text."""
    return WORD.findall(text.lower())
