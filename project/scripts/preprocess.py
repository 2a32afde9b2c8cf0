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
    """Split documents by their names: of ten, eight to learn from, one to choose by and one to be tested on.

    ids (Iterable[str]): names. seed (int): of the order.
    RETURNS (dict[str, str]): the part of each; every part has a document as soon as there are three.
    """
    names = sorted(ids)
    random.Random(seed).shuffle(names)
    held_out = max(1, len(names) // 10)
    first = len(names) - 2 * held_out
    return {name: PARTS[(i >= first) + (i >= first + held_out)] for i, name in enumerate(names)}


def write_corpus(folder: Path, docs: Mapping[str, Sequence[Doc]], split: Mapping[str, str], about: dict) -> None:
    """Write the parts of a corpus.

    folder (Path): where to. docs (Mapping[str, Sequence[Doc]]): of each part. split (Mapping[str, str]): the part of
    each document's name. about (dict): what else there is to say; printed, and written beside the split.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        DocBin(docs=docs[part], store_user_data=True).to_disk(folder / f"{part}.spacy")
    facts = {part: {"documents": len(docs[part]), "tokens": sum(map(len, docs[part]))} for part in PARTS} | about
    srsly.write_json(folder / "split.json", {"seed": SPLIT_SEED, "facts": facts, "split": dict(sorted(split.items()))})
    for name, fact in facts.items():
        msg.text(f"{name}: {fact}")


def read_docs(path: Path) -> list[Doc]:
    """RETURNS (list[Doc]): the documents of a .spacy file, with a vocabulary of their own."""
    return list(DocBin().from_disk(path).get_docs(spacy.blank("en").vocab))


def write_vocabulary(folder: Path, texts: Sequence[str], pieces: int, settings: Settings) -> BigBirdTokenizer:
    """Train a vocabulary on the texts that are learned from, or take that of the checkpoint.

    folder (Path): where spiece.model goes. texts (Sequence[str]): to train on. pieces (int): how many, or as many as
    the texts allow. settings (Settings): has the checkpoint.
    RETURNS (BigBirdTokenizer): with this vocabulary.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if settings.checkpoint is not None:
        load_tokenizer(settings.checkpoint).save_vocabulary(folder)
        return load_tokenizer(folder / "spiece.model")
    try:
        model = train_vocabulary(texts, pieces, max_sentences=VOCABULARY_SENTENCES, num_threads=1)
    except ValueError as error:
        most = re.search(r"value <= (\d+)", str(error))
        if most is None:
            raise
        # Few texts have few different pieces.
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
