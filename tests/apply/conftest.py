"""A small pipeline on disk, documents to apply it to, and what to compare of the results."""

import json
from pathlib import Path

import pytest
import spacy
from spacy.util import fix_random_seed, import_file

from ..toy_pipelines import make_examples, make_pipeline
from ..toy_text import toy_text

# A component that does what a word in the text tells it to, once for each file that is not there yet.
CODE = """
import os
import signal
from pathlib import Path
from spacy.language import Language

@Language.component("obedient")
def obedient(doc):
    for word in doc.text.split():
        if word.startswith("raise:"):
            raise ValueError(f"told to: {word}")
        if word.startswith("die:") and not Path(word[4:]).exists():
            Path(word[4:]).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if word == "always-die":
            os.kill(os.getpid(), signal.SIGKILL)
    return doc
"""


@pytest.fixture(scope="session")
def pipeline(vocab_file, tmp_path_factory) -> Path:
    """An encoder with entities and categories, with random weights."""
    fix_random_seed(0)
    nlp = make_pipeline(vocab_file, ("ner", "textcat"), keep_vectors="none")
    nlp.initialize(lambda: make_examples(nlp))
    path = tmp_path_factory.mktemp("pipeline") / "toy"
    nlp.to_disk(path)
    return path


@pytest.fixture(scope="session")
def obedient(tmp_path_factory) -> tuple[Path, Path]:
    """A pipeline that is fast to load, and the code that it needs."""
    folder = tmp_path_factory.mktemp("obedient")
    (folder / "code.py").write_text(CODE, encoding="utf8")
    import_file("python_code", folder / "code.py")
    nlp = spacy.blank("en")
    nlp.add_pipe("obedient")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PLACE", "pattern": "Paris"}, {"label": "NAME", "pattern": "Anna"}])
    nlp.to_disk(folder / "pipeline")
    return folder / "pipeline", folder / "code.py"


def write_jsonl(path: Path, texts: list[str]) -> Path:
    """Write one JSON object per text."""
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf8")
    return path


def some_texts(number: int = 30) -> list[str]:
    """Texts of different lengths, one of them much longer than the others."""
    return [toy_text(seed, 30 if seed == number // 2 else 1 + seed % 4) for seed in range(number)]


def contents(output: Path) -> dict[str, bytes]:
    """The files that must be the same after every run: results and failures."""
    return {path.name: path.read_bytes() for path in [*output.glob("part-*"), output / "failures.jsonl"]}


def rows(output: Path) -> list[dict]:
    """The results in JSON lines, in order."""
    return [json.loads(line) for path in sorted(output.glob("part-*.jsonl")) for line in path.open(encoding="utf8")]
