"""Heads of a shared encoder, each of which is stored in a folder of the encoder's, as a spaCy pipeline without it.

The encoder was frozen when the head was trained, so `load` takes its weights from the folder above.
"""

import shutil
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.util import load_config, load_model_from_config
from thinc.api import Config

CONFIG, SCORES = "config.cfg", "scores.json"
ENCODER = "bigbird"
# The encoder is in the folder above, and the words of the training documents are of no use to others.
LEFT_OUT = [ENCODER, "vocab"]


def load(folder: Path, **encoder_settings: Any) -> Language:
    """Load the pipeline of an encoder and a head.

    folder (Path): folder of the head in that of the encoder, such as project/models/small/entities.
    **encoder_settings (Any): changed settings of the encoder's model.
    RETURNS (Language): the pipeline. `to_disk` writes all of it, for `spacy.load`.
    RAISES FileNotFoundError: there is no head.
    """
    if not (folder / CONFIG).exists():
        raise FileNotFoundError(f"{folder} does not exist or has no {CONFIG}: there is no head of this name.")
    settings = {"name": str(folder.parent), **encoder_settings}
    overrides = {f"components.{ENCODER}.model.{name}": value for name, value in settings.items()}
    nlp = load_model_from_config(load_config(folder / CONFIG, overrides))
    nlp.get_pipe(ENCODER).model.initialize()
    nlp.from_disk(folder, exclude=LEFT_OUT)
    return nlp


def save(nlp: Language, folder: Path, meta: dict[str, Any], **encoder_settings: Any) -> None:
    """Write the head of a trained pipeline into the folder of its encoder, in place of an earlier one.

    nlp (Language): the pipeline.
    folder (Path): folder of the head in that of the encoder.
    meta (dict[str, Any]): what is said about the pipeline, as in meta.json.
    **encoder_settings (Any): changed settings of the encoder's model.
    """
    shutil.rmtree(folder, ignore_errors=True)
    nlp.meta.update({"spacy_git_version": spacy.git_info.GIT_VERSION, **meta})
    nlp.to_disk(folder, exclude=LEFT_OUT)
    config = load_config(folder / CONFIG, interpolate=False)
    kept = {name: config[name] for name in ("nlp", "components")}
    encoder = kept["components"][ENCODER]
    if "cache_dir" in encoder:
        encoder["cache_dir"] = None
    encoder["model"] |= {"name": None, "vocab_file": None, "transformer_config": {}, **encoder_settings}
    Config(kept).to_disk(folder / CONFIG)
