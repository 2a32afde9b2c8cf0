"""Real documents, read by the encoder of this repository with one of its heads."""

import time
from pathlib import Path

from spacy.tokens import Doc

from ..models.recipes import heads

MODEL = Path(__file__).parents[1] / "models" / "small"


def read(head: Path, output: Path, text: str) -> Doc:
    """Read a text, and save the pipeline that does.

    head (Path): folder of the head.
    output (Path): folder for the pipeline, which `spacy.load` can load.
    text (str): the text.
    RETURNS (Doc): the document, with the seconds that it took in `user_data["seconds"]`.
    """
    nlp = heads.load(head)
    output.mkdir(parents=True, exist_ok=True)
    nlp.to_disk(output)
    start = time.monotonic()
    doc = nlp(text)
    doc.user_data["seconds"] = time.monotonic() - start
    return doc


def shortened(text: str, characters: int) -> str:
    """RETURNS (str): the beginning of a text, on one line, up to the end of a word."""
    line = " ".join(text.split())
    return line if len(line) <= characters else line[: characters + 1].rsplit(" ", 1)[0] + " …"
