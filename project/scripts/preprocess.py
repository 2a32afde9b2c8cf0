"""Write the corpus of a task: train.spacy, dev.spacy, test.spacy, the vocabulary and how it was split."""

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import spacy
import srsly
import typer
from spacy.tokens import Doc, DocBin
from wasabi import msg

from spacy_bigbird.tokenizer import BigBirdTokenizer
from spacy_bigbird.tokenizer.train import train_vocabulary

from .command import run
from .options import Checkpoint, MaxLength, TaskName, make_settings
from .parts import load_tokenizer
from .systems import Settings
from .tasks import get_task

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


def main(
    task: TaskName,
    checkpoint: Checkpoint = "none",
    max_length: MaxLength = 4096,
    root: Annotated[Path, typer.Option(help="The project's folder")] = Path(),
) -> None:
    """Write the corpus of a task."""
    get_task(task).preprocess(root.resolve(), make_settings(checkpoint=checkpoint, max_length=max_length))


if __name__ == "__main__":
    run(main)
