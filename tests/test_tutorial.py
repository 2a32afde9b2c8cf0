"""The tutorial is true: its commands run in their order on a small corpus, up to the service. So does the notebook."""

import json
import re
import shlex

import pytest
from fastapi.testclient import TestClient
from spacy.cli import app as spacy_app
from spacy.util import registry
from typer.testing import CliRunner

from spacy_bigbird.serve.app import create_app
from spacy_bigbird.serve.settings import ServiceSettings

from .documentation import CHECKPOINT, DOCS, ROOT, prepare, shell_lines

TUTORIAL = DOCS / "your-own-contract-model.md"
NOTEBOOK = DOCS / "reading-contracts.ipynb"
NAMES = ["Anna Ltd", "Boris", "Clara & Sons", "Dvořák"]
# What a test needs in place of what a reader has: a tiny encoder, few steps, and no network to build wheels with.
SMALLER = {
    "project/models/small": CHECKPOINT,
    "--training.max_steps 300": "--training.max_steps 4 --training.eval_frequency 2",
    "--build wheel": "--build none",
}


@pytest.fixture
def folder(tmp_path, vocab_file, monkeypatch):
    prepare(tmp_path, vocab_file)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contracts(number: int) -> str:
    """Prodigy's export of short leases with two parties each."""
    lines = []
    for i in range(number):
        first, second = NAMES[i % 4], NAMES[(i + 1) % 4]
        text = f"Lease {i}. This lease is between {first} and {second}. Either party may end the contract."
        places = [(text.index(first), first), (text.rindex(second), second)]
        spans = [{"start": start, "end": start + len(name), "label": "PARTY"} for start, name in places]
        lines.append(json.dumps({"text": text, "spans": spans, "answer": "accept"}) + "\n")
    return "".join(lines)


def test_the_tutorial(folder):
    (folder / "contracts.jsonl").write_text(contracts(20), encoding="utf8")
    registry.cli.get_all()
    lines = [line for line in shell_lines(TUTORIAL) if line.startswith("python -m spacy ")]
    assert [line.split()[4] if "bigbird" in line.split() else line.split()[3] for line in lines] == [
        "convert", "init-config", "check", "train", "evaluate", "package", "serve",
    ]  # fmt: skip
    for line in lines[:-1]:
        for text, smaller in SMALLER.items():
            line = line.replace(text, smaller)
        words = shlex.split(line.removeprefix("python -m spacy "))
        (folder / "packages").mkdir(exist_ok=True)
        result = CliRunner().invoke(spacy_app, words, catch_exceptions=False)
        assert result.exit_code == 0, f"{line}\n{result.output}"
    assert json.loads((folder / "scores.json").read_text(encoding="utf8"))["ents_f"] is not None
    assert (folder / "packages" / "en_contracts-1.0.0" / "en_contracts" / "__init__.py").is_file()
    (served,) = re.findall(r"serve (\S+)", lines[-1])
    with TestClient(create_app(ServiceSettings(pipelines=[served]))) as client:
        found = client.post("/v1/documents", json={"text": "Anna Ltd signs."}).json()
        assert found["pipeline"] == "contracts" and found["pieces"] > 0
        page = client.get("/").text
        assert "Read a long document" in page


def test_the_notebook(folder):
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "kept without outputs"
    client = NotebookClient(notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.execute()
    shown = json.dumps([cell.get("outputs") for cell in notebook.cells])
    assert "PARTY" in shown and "<mark" in shown and "page" in shown
    assert (ROOT / "docs" / NOTEBOOK.name).is_file()
