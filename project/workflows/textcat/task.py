"""Labels of long documents: who wrote an excerpt of a novel, and what an encyclopedia article is about.

`authors`: novels by 33 authors, split into excerpts that fill the encoder. The latest novel of each author is for
testing, and an earlier one of ten authors for development, so that no novel is in two splits. `topics`: the articles of
Schools Wikipedia (West and Leskovec, WWW 2012) that have exactly one of 14 subjects.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import spacy
from spacy.language import Language
from spacy.tokens import Doc

from spacy_bigbird.bakeoff.statistics import by_length, by_position, interval, macro_f, mean

from ..library.corpus import PARTS, SPLIT_SEED, read_docs, split_ids, write_corpus, write_vocabulary
from ..library.measuring import beginnings, stream
from ..library.parts import doc_part
from ..library.sources import Asset, find
from ..library.systems import Settings
from ..library.tasks import Paths, Task
from ..library.wikispeedia import read_articles
from .novels import cut, read_novels, split_novels

VOCABULARY = 8000
QUARTERS = 4
# Number of excerpts of a novel in each split.
EXCERPTS = {"train": 20, "dev": 10, "test": 5}
# The most frequent words show an author's style, the others what a novel is about.
STYLE_WORDS = 1000
BEGINNINGS = (512, 1024, 2048)


class Text(NamedTuple):
    """A document. label (str): its only label. group (str): the novel that it belongs to, or its own name."""

    text: str
    label: str
    group: str
    part: str | None = None


def preprocess_authors(root: Path, settings: Settings) -> None:
    """Write the corpus of `authors`. root (Path): the project's folder. settings (Settings): checkpoint, max_length."""
    novels = dict(read_novels(find("novels", root)))
    split = split_novels(list(novels))
    corpus = Paths(root, "authors").corpus
    train = [text for name, text in novels.items() if split[name] == "train"]
    tokenizer = write_vocabulary(corpus, train, VOCABULARY, settings)
    texts = []
    for name, novel in sorted(novels.items()):
        pieces = cut(novel, tokenizer, settings.max_length - 2)
        number = min(len(pieces), EXCERPTS[split[name]])
        for index in sorted(random.Random(f"{SPLIT_SEED}-{name}").sample(range(len(pieces)), number)):
            texts.append(Text(pieces[index], name.partition("_")[0], name, split[name]))
    _write(corpus, texts, split)


def read_topics(asset: Asset) -> Iterator[Text]:
    """Read the articles with exactly one subject from either form."""
    articles = list(read_articles(asset))
    dealt = split_ids(article.name for article in articles)
    for name, text, labels, part in articles:
        if len(labels) == 1:
            yield Text(text, labels[0], name, part or dealt[name])


def preprocess_topics(root: Path, settings: Settings) -> None:
    """Write the corpus of `topics`. root (Path): the project's folder. settings (Settings): name the checkpoint."""
    texts = list(read_topics(find("wikispeedia", root)))
    split = {text.group: str(text.part) for text in texts}
    corpus = Paths(root, "topics").corpus
    write_vocabulary(corpus, [text.text for text in texts if text.part == "train"], VOCABULARY, settings)
    _write(corpus, texts, split)


def _write(corpus: Path, texts: Sequence[Text], split: dict[str, str]) -> None:
    labels = sorted({text.label for text in texts})
    nlp = spacy.blank("en")
    docs: dict[str, list[Doc]] = {part: [] for part in PARTS}
    for text in texts:
        doc = nlp.make_doc(text.text)
        doc.cats = {label: float(label == text.label) for label in labels}
        doc.user_data["group"] = text.group
        docs[text.part or "train"].append(doc)
    write_corpus(corpus, docs, split, {"labels": dict(Counter(text.label for text in texts))})


def best_label(doc: Doc) -> str:
    """RETURNS (str): the label with the highest score."""
    return max(doc.cats, key=lambda label: doc.cats[label])


def count(references: Sequence[Doc], found: Sequence[Doc]) -> np.ndarray:
    """RETURNS (ndarray): 1 if the label is correct else 0, and 1 to count documents. Shape: (documents, 2)."""
    return np.array(
        [[float(best_label(gold) == best_label(said)), 1.0] for gold, said in zip(references, found, strict=True)]
    )


def count_labels(references: Sequence[Doc], found: Sequence[Doc]) -> np.ndarray:
    """RETURNS (ndarray): correct, wrong and missed predictions of each label. Shape: (documents, 3 * labels)."""
    labels = sorted(references[0].cats)
    counts = np.zeros((len(references), len(labels), 3))
    for row, gold, said in zip(counts, map(best_label, references), map(best_label, found), strict=True):
        if gold == said:
            row[labels.index(gold), 0] = 1
        else:
            row[labels.index(said), 1] = row[labels.index(gold), 2] = 1
    return counts.reshape(len(references), -1)


def by_group(docs: Sequence[Doc], counts: np.ndarray) -> np.ndarray:
    """RETURNS (ndarray): counts summed over the documents of each group. Shape: (groups, any)."""
    groups = [doc.user_data["group"] for doc in docs]
    numbers = {group: number for number, group in enumerate(sorted(set(groups)))}
    sums = np.zeros((len(numbers), *counts.shape[1:]))
    np.add.at(sums, [numbers[group] for group in groups], counts)
    return sums


def measure_whole(nlp: Language, corpus: Path, first_pieces: int | None) -> dict[str, Any]:
    """Compute the scores on whole test documents only; arguments and result as in `tasks.Task`."""
    references = read_docs(corpus / "test.spacy")
    found, facts = stream(nlp, beginnings(references, corpus / "spiece.model", first_pieces))
    counts = count(references, found)
    of_groups = by_group(references, counts)
    return {
        "documents": len(references),
        "groups": len(of_groups),
        "scores": {
            "cats_accuracy": interval(of_groups, mean),
            "cats_macro_f": interval(by_group(references, count_labels(references, found)), macro_f),
        },
        "by_length": by_length(counts, [len(doc) for doc in references], mean),
        "counts": of_groups.tolist(),
        **facts,
    }


def measure(nlp: Language, corpus: Path, first_pieces: int | None) -> dict[str, Any]:
    """Compute the scores on the test documents, and on each quarter of them alone; see `tasks.Task`."""
    whole = measure_whole(nlp, corpus, first_pieces)
    references = read_docs(corpus / "test.spacy")
    quarters = []
    for quarter in range(QUARTERS):
        parts = [doc_part(doc, *(len(doc) * (quarter + i) // QUARTERS for i in (0, 1))) for doc in references]
        found, _ = stream(nlp, beginnings(parts, corpus / "spiece.model", first_pieces))
        quarters.append(count(references, found))
    by_quarter = by_group(references, np.stack(quarters, axis=1))
    return {**whole, "by_position": by_position(by_quarter, mean)}


def measure_authors(nlp: Language, corpus: Path, first_pieces: int | None) -> dict[str, Any]:
    """Like `measure`. All documents are equally long, so `by_length` is about beginnings of different lengths."""
    whole = measure(nlp, corpus, first_pieces)
    references = read_docs(corpus / "test.spacy")
    of_length = []
    for pieces in BEGINNINGS:
        parts = beginnings(references, corpus / "spiece.model", min(pieces, first_pieces or pieces))
        known = by_group(references, count(references, stream(nlp, parts)[0]))
        of_length.append({"longest": pieces, "documents": len(references), **interval(known, mean)})
    of_length.append({"longest": "whole", "documents": len(references), **whole["scores"]["cats_accuracy"]})
    return {**whole, "by_length": of_length}


def spare_style(system: str, settings: Settings) -> dict[str, Any]:
    """RETURNS (dict[str, Any]): settings, for every system, that keep frequent words and replace others at random,
    because names and subjects identify a novel, but not its author."""
    return {"training.batcher.noise": 1.0, "training.batcher.frequent": STYLE_WORDS}


CONFIGS = {"": "textcat.cfg", "tok2vec": "textcat_tok2vec.cfg"}
TASKS = {
    "authors": Task(
        name="authors",
        title="Who wrote a piece of a novel",
        metric="cats_accuracy",
        metric_name="accuracy",
        configs=CONFIGS,
        preprocess=preprocess_authors,
        measure=measure_authors,
        knows_neighbours=True,
        changes=spare_style,
        about="33 authors; the test documents are excerpts of the latest novel of each (chance is 0.03), and intervals "
        f"are over these novels. All systems learn from the {STYLE_WORDS:,} most frequent words: all others are "
        "replaced at random in training, since names and subjects give away a novel, but not its author. By length: "
        "the score on the beginnings of the same excerpts. By position: the score on a quarter of each alone.",
    ),
    "topics": Task(
        name="topics",
        title="What an encyclopedia article is about",
        metric="cats_accuracy",
        metric_name="accuracy",
        configs=CONFIGS,
        preprocess=preprocess_topics,
        measure=measure,
        knows_neighbours=True,
        about="14 subjects, one per article; always choosing the most frequent one would score 0.25. By position: the "
        "score on a quarter of each article alone.",
    ),
}
