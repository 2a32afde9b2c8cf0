"""Put a trained head for entities into the folder of the encoder that it was trained on.

The encoder was frozen in that training, so the head's folder `entities` is a spaCy pipeline without its encoder: `load`
takes the weights from the model's own folder. Before it is written, the head's probabilities are calibrated on the
development documents, and `scores.json` gets its scores on the test documents.
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import spacy
import srsly
from spacy.language import Language
from spacy.training import Example
from spacy.util import load_config, load_model_from_config
from thinc.api import Config

from ...workflows import ner
from ...workflows.library.corpus import read_docs
from ...workflows.library.parts import plain

FOLDER, CONFIG, SCORES = "entities", "config.cfg", "scores.json"
ENCODER, HEAD = "bigbird", "bigbird_ner"
# `bigbird` is in the model's folder, and the words of the training documents are of no use to others.
LEFT_OUT = [ENCODER, "vocab"]
META = {
    "name": "entities_of_novels",
    "description": "People, places, buildings, vehicles and organizations in English novels, by name or common noun",
    "license": "CC BY-SA 3.0",
}


def load(model: Path) -> Language:
    """Load the pipeline that finds entities with a model and its head.

    model (Path): folder of the model, such as project/models/small.
    RETURNS (Language): the pipeline. `to_disk` writes all of it, for `spacy.load`.
    RAISES FileNotFoundError: the model has no head.
    """
    folder = model / FOLDER
    if not (folder / CONFIG).exists():
        raise FileNotFoundError(f"{folder} does not exist or has no {CONFIG}: this model has no head for entities.")
    nlp = load_model_from_config(load_config(folder / CONFIG, {f"components.{ENCODER}.model.name": str(model)}))
    nlp.get_pipe(ENCODER).model.initialize()
    nlp.from_disk(folder, exclude=LEFT_OUT)
    return nlp


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
    folder = model / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    nlp.meta.update(META)
    nlp.to_disk(folder, exclude=LEFT_OUT)
    config = load_config(folder / CONFIG, interpolate=False)
    kept = {name: config[name] for name in ("nlp", "components")}
    kept["components"][ENCODER]["model"] |= {"name": None, "vocab_file": None, "transformer_config": {}}
    Config(kept).to_disk(folder / CONFIG)
    srsly.write_json(folder / SCORES, scores)
    return scores


def main(arguments: Sequence[str] | None = None) -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("pipeline", type=Path, help="the trained pipeline")
    options.add_argument("model", type=Path, help="folder of the model that is its encoder")
    options.add_argument("corpus", type=Path, help="folder of dev.spacy, test.spacy and spiece.model")
    given = options.parse_args(arguments)
    for path in (given.pipeline / CONFIG, given.model / "model.safetensors", given.corpus / "dev.spacy"):
        if not path.exists():
            options.error(f"{path} does not exist")
    print(export(spacy.load(given.pipeline), given.model, given.corpus)["scores"])


if __name__ == "__main__":
    main()
