"""The corpus of a task on disk: train.spacy, dev.spacy, test.spacy, the vocabulary and how it was split."""

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import spacy
import srsly
from spacy.tokens import Doc, DocBin
from wasabi import msg

from spacy_bigbird.tokenizer import BigBirdTokenizer
from spacy_bigbird.tokenizer.train import train_vocabulary

from .parts import load_tokenizer
from .systems import Settings

PARTS = ("train", "dev", "test")
SPLIT_SEED = 13
VOCABULARY_SENTENCES = 10_000


def split_ids(ids: Iterable[str], seed: int = SPLIT_SEED) -> dict[str, str]:
    """Split documents by their names: 80% for training, 10% for development and 10% for testing.

    ids (Iterable[str]): names of the documents.
    seed (int): seed of the random order.
    RETURNS (dict[str, str]): the split of each document. No split is empty if there are at least three documents.
    """
    names = sorted(ids)
    random.Random(seed).shuffle(names)
    held_out = max(1, len(names) // 10)
    first = len(names) - 2 * held_out
    return {name: PARTS[(i >= first) + (i >= first + held_out)] for i, name in enumerate(names)}


def split_by_shares(names: Iterable[str], shares: tuple[float, float], seed: int = SPLIT_SEED) -> dict[str, str]:
    """Split documents into three parts, always in the same way.

    names (Iterable[str]): names of the documents.
    shares (tuple[float, float]): shares of "train" and "dev"; the rest is "test".
    seed (int): seed for shuffling.
    RETURNS (dict[str, str]): the split of each document.
    """
    order = sorted(names)
    random.Random(seed).shuffle(order)
    first = round(shares[0] * len(order))
    second = first + round(shares[1] * len(order))
    return {name: "train" if n < first else "dev" if n < second else "test" for n, name in enumerate(order)}


def write_corpus(folder: Path, docs: Mapping[str, Sequence[Doc]], split: Mapping[str, str], about: dict) -> None:
    """Write the splits of a corpus.

    folder (Path): the folder to write to.
    docs (Mapping[str, Sequence[Doc]]): the documents of each split.
    split (Mapping[str, str]): the split of each document, by its name.
    about (dict): further facts, which are printed, and written along with the split.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        DocBin(docs=docs[part], store_user_data=True).to_disk(folder / f"{part}.spacy")
    facts = {part: {"documents": len(docs[part]), "tokens": sum(map(len, docs[part]))} for part in PARTS} | about
    srsly.write_json(folder / "split.json", {"seed": SPLIT_SEED, "facts": facts, "split": dict(sorted(split.items()))})
    for name, fact in facts.items():
        msg.text(f"{name}: {fact}")


def read_docs(path: Path) -> list[Doc]:
    """RETURNS (list[Doc]): the documents of a .spacy file, with their own vocab."""
    return list(DocBin().from_disk(path).get_docs(spacy.blank("en").vocab))


def write_vocabulary(folder: Path, texts: Sequence[str], pieces: int, settings: Settings) -> BigBirdTokenizer:
    """Train a vocabulary on the training texts, or copy that of the checkpoint.

    folder (Path): folder for spiece.model.
    texts (Sequence[str]): the training texts.
    pieces (int): number of pieces, or fewer if the texts do not allow as many.
    settings (Settings): name the checkpoint.
    RETURNS (BigBirdTokenizer): a tokenizer with this vocabulary.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if settings.checkpoint is not None:
        load_tokenizer(settings.checkpoint).save_pretrained(folder)
        return load_tokenizer(folder / "spiece.model")
    try:
        model = train_vocabulary(texts, pieces, max_sentences=VOCABULARY_SENTENCES, num_threads=1)
    except ValueError as error:
        most = re.search(r"value <= (\d+)", str(error))
        if most is None:
            raise
        # A small corpus has few different pieces.
        model = train_vocabulary(texts, int(most[1]), max_sentences=VOCABULARY_SENTENCES, num_threads=1)
    path = folder / "spiece.model"
    path.write_bytes(model)
    return load_tokenizer(path)
