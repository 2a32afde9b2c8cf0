"""Write the corpora of two tasks with labels for whole documents, in the splits of the data.

`clauses`: which of 41 clauses a contract of CUAD has. `topics`: which of 14 subjects an article of Schools Wikipedia is
about; articles with several are left out.
"""

import argparse
import json
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import spacy
from spacy.tokens import DocBin
from tqdm import tqdm

from .corpora import FILES, PARTS, data_directory


def labelled(task: str, record: dict[str, Any]) -> list[str]:
    """RETURNS (list[str]): the labels of a document; none if it is left out. task (str): "clauses" or "topics"."""
    if task == "clauses":
        return record["clauses_present"]
    return record["labels"] if len(record["labels"]) == 1 else []


def records(task: str, data: Path) -> Iterator[dict[str, Any]]:
    """YIELDS (dict[str, Any]): the documents that have labels. data (Path): folder of the data."""
    path = data / FILES["contracts" if task == "clauses" else "encyclopedia"]
    with lzma.open(path, "rt", encoding="utf8") as file:
        for line in file:
            record = json.loads(line)
            if labelled(task, record):
                yield record


def main() -> None:
    """Write train.spacy, dev.spacy and test.spacy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=("clauses", "topics"))
    parser.add_argument("folder", type=Path, help="where to write train.spacy, dev.spacy and test.spacy")
    given = parser.parse_args()
    data = data_directory()
    found = list(records(given.task, data))
    labels = sorted({label for record in found for label in labelled(given.task, record)})
    nlp = spacy.blank("en")
    nlp.max_length = max(len(record["text"]) for record in found)
    given.folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        docs = DocBin()
        for record in tqdm([one for one in found if one["split"] == part], desc=part, unit="doc"):
            doc = nlp.make_doc(record["text"])
            doc.cats = {label: float(label in labelled(given.task, record)) for label in labels}
            docs.add(doc)
        docs.to_disk(given.folder / f"{part}.spacy")


if __name__ == "__main__":
    main()
