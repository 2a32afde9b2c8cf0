"""Put a trained head for entities into the folder of the encoder that it was trained on.

Before it is written, the head's probabilities are calibrated on the development documents, and `scores.json` gets its
scores on the test documents.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import spacy
import srsly
from spacy.language import Language
from spacy.training import Example

from ...workflows import ner
from ...workflows.library.corpus import read_docs
from ...workflows.library.parts import plain
from . import heads
from .arguments import add_paths, require

FOLDER, HEAD = "entities", "bigbird_ner"
META = {
    "name": "bigbird_novels",
    "description": "People, places, buildings, vehicles and organizations in English novels, by name or common noun",
    "notes": (
        "For novels in English. In other texts there are names of other kinds: it calls companies people "
        "or places, and marks no dates or amounts."
    ),
    "license": "CC BY-SA 3.0",
    "sources": [
        {
            "name": "LitBank",
            "url": "https://github.com/dbamman/litbank",
            "license": "CC BY 4.0",
            "author": "Bamman, Popat, Shen (NAACL 2019)",
        },
    ],
}


def export(nlp: Language, model: Path, corpus: Path) -> dict[str, Any]:
    """Write the head of a trained pipeline to a model's folder.

    nlp (Language): the pipeline, whose encoder is the model.
    model (Path): folder of the model.
    corpus (Path): folder of dev.spacy, test.spacy and spiece.model.
    RETURNS (dict[str, Any]): the scores on the test documents, and the result of the calibration.
    """
    dev = read_docs(corpus / "dev.spacy")
    calibration = nlp.get_pipe(HEAD).calibrate([Example(plain(doc), doc) for doc in dev], nlp=nlp)
    measured = ner.measure(nlp, corpus, None)
    scores = {key: measured[key] for key in ("documents", "scores", "by_type")} | {"calibration": calibration}
    heads.save(nlp, model / FOLDER, META)
    srsly.write_json(model / FOLDER / heads.SCORES, scores)
    return scores


def main(arguments: Sequence[str] | None = None) -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    corpus = "folder of dev.spacy, test.spacy and spiece.model"
    add_paths(options, pipeline="the trained pipeline", model="folder of the model that is its encoder", corpus=corpus)
    given = options.parse_args(arguments)
    require(options, given.pipeline / heads.CONFIG, given.model / "model.safetensors", given.corpus / "dev.spacy")
    print(export(spacy.load(given.pipeline), given.model, given.corpus)["scores"])


if __name__ == "__main__":
    main()
