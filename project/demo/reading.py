"""Real documents, read by one of the pipelines that come with this repository."""

import re
import time
from collections.abc import Sequence
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc

MODEL = Path(__file__).parents[1] / "models" / "small"


def read(nlp: Language, output: Path, text: str, questions: Sequence[str] = ()) -> Doc:
    """Read a text, and save the pipeline that does.

    nlp (Language): the pipeline.
    output (Path): folder for the pipeline, which `spacy.load` can load.
    text (str): the text.
    questions (Sequence[str]): questions to answer.
    RETURNS (Doc): the document, with the seconds that it took in `user_data["seconds"]`.
    """
    output.mkdir(parents=True, exist_ok=True)
    nlp.to_disk(output)
    doc = nlp.make_doc(text)
    if questions:
        doc._.questions = list(questions)
    start = time.monotonic()
    doc = nlp(doc)
    doc.user_data["seconds"] = time.monotonic() - start
    return doc


def shortened(text: str, characters: int) -> str:
    """RETURNS (str): the beginning of a text, on one line, up to the end of a word."""
    line = " ".join(text.split())
    return line if len(line) <= characters else line[: characters + 1].rsplit(" ", 1)[0] + " …"


def unwrapped(text: str) -> str:
    """RETURNS (str): a text with one line per paragraph, and without the spaces at the ends of lines."""
    return re.sub(r"(?<!\n)\n(?!\n)", " ", re.sub(r"^ +| +$", "", text, flags=re.MULTILINE))
