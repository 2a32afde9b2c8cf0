"""What the tests of the documentation share: its parts, and a folder in which its examples run."""

import dataclasses
import importlib
import json
import re
import shlex
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import spacy
import torch
import typer
from spacy.cli import app as spacy_app
from spacy.language import Language

import spacy_bigbird
from spacy_bigbird.cli.main import app
from spacy_bigbird.model import BigBirdConfig, BigBirdForMaskedLM, BigBirdForQuestionAnswering
from spacy_bigbird.tokenizer import BigBirdTokenizer

ROOT = Path(__file__).parents[1]
# Not in ROOT where an installed wheel is tested.
PACKAGE = Path(spacy_bigbird.__file__).parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
OURS = {
    point.name: point
    for group in ("factories", "architectures", "batchers", "loggers", "readers", "scorers", "schedules")
    for point in entry_points(group="thinc_schedules" if group == "schedules" else f"spacy_{group}")
    if point.value.startswith("spacy_bigbird.")
}
FACTORIES = sorted(name for name, point in OURS.items() if point.group == "spacy_factories")
CHECKPOINT = "google/bigbird-roberta-base"
SENTENCE = "Anna met Boris in London. Either party may end the contract. "
TINY = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 128,
    "block_size": 8,
    "num_random_blocks": 1,
}


class Section(NamedTuple):
    """A part of a page under one heading, up to the next."""

    heading: str
    body: str

    @property
    def rows(self) -> list[list[str]]:
        """Cells of its first table, without the heading of the table."""
        found: list[list[str]] = []
        for line in self.body.splitlines():
            if line.startswith("|"):
                found.append([cell.strip() for cell in line.strip().split("|")[1:-1]])
            elif found:
                break
        return found[2:]


def sections(page: Path) -> list[Section]:
    """The parts of a page. Headings inside of code do not count."""
    parts: list[list[str]] = [["", ""]]
    in_code = False
    for line in page.read_text(encoding="utf8").splitlines(keepends=True):
        in_code ^= line.startswith("```")
        if line.startswith("#") and not in_code:
            parts.append([line.strip("# \n"), ""])
        else:
            parts[-1][1] += line
    return [Section(*part) for part in parts]


def section(page: Path, heading: str) -> Section:
    (found,) = [part for part in sections(page) if part.heading == heading]
    return found


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of code in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf8"), flags=re.DOTALL | re.MULTILINE)


def shell_lines(page: Path) -> Iterator[str]:
    """Lines of indented code, without comments."""
    in_code = False
    for line in page.read_text(encoding="utf8").splitlines():
        in_code ^= line.startswith("```")
        if line.startswith("    ") and not in_code:
            yield line.split(" #")[0].strip()


def prepare(folder: Path, vocab_file: Path) -> None:
    """Make the checkpoints and the text that the examples name, tiny and with random weights."""
    tokenizer = BigBirdTokenizer(vocab_file)
    checkpoint = folder / CHECKPOINT
    config = BigBirdConfig(vocab_size=tokenizer.vocab_size, **TINY)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BigBirdForMaskedLM(config).save_pretrained(checkpoint)
        BigBirdForQuestionAnswering(config).save_pretrained(folder / "CHECKPOINT")
    for path in (folder, checkpoint, folder / "CHECKPOINT"):
        tokenizer.save_vocabulary(path)
    (folder / "project").symlink_to(ROOT / "project", target_is_directory=True)
    (folder / "contract.txt").write_text(SENTENCE * 20, encoding="utf8")


def make_pipelines(folder: Path) -> None:
    """Make the pipelines that the examples name, of the checkpoint in a folder that was prepared."""
    checkpoint = folder / CHECKPOINT
    heads: dict[str, tuple[list[str], dict[str, Any]]] = {
        "my_qa_pipeline": (["bigbird_span_qa"], {"@architectures": "spacy-bigbird.SpanQA.v1"}),
        "my_joined_pipeline": (["bigbird_span_qa"], {"@architectures": "spacy-bigbird.SpanQA.v1", "join_layer": 1}),
        "my_choice_pipeline": (["bigbird_multiple_choice"], {"@architectures": "spacy-bigbird.MultipleChoice.v1"}),
        "my_mask_pipeline": (["bigbird_fill_mask"], {"@architectures": "spacy-bigbird.FillMask.v1"}),
        "my_ner_pipeline": (["bigbird", "bigbird_ner"], {"@architectures": "spacy-bigbird.BigBirdModel.v1"}),
        "my_spancat_pipeline": (["bigbird", "bigbird_spancat"], {"@architectures": "spacy-bigbird.BigBirdModel.v1"}),
        "my_textcat_pipeline": (["bigbird", "bigbird_textcat"], {"@architectures": "spacy-bigbird.BigBirdModel.v1"}),
    }
    for name, (factories, model) in heads.items():
        nlp: Language = spacy.blank("en")
        for factory in factories:
            config = {"model": {**model, "name": str(checkpoint)}} if factory == factories[0] else {}
            if factory == "bigbird_textcat":
                config = {"model": {"pooling": "attention"}}
            pipe: Any = nlp.add_pipe(factory, config=config)
            for label in ("ONE", "TWO") if factory != factories[0] else ():
                pipe.add_label(label)
        nlp.initialize()
        nlp.to_disk(folder / name)


def check_command_line(line: str) -> None:
    """Only commands, options and configs that exist. Overrides of settings such as --paths.train have a dot."""
    words = shlex.split(line.removeprefix("python -m spacy "))
    used = {word for word in words if re.match(r"--?[a-z][\w-]*$", word)}
    commands: dict[str, Any] = typer.main.get_command(spacy_app).commands  # type: ignore[attr-defined]
    command = COMMANDS[words[1]] if words[0] == "bigbird" else commands[words[0]]
    assert used <= {flag for parameter in command.params for flag in parameter.opts}, line
    assert all((ROOT / word).is_file() for word in words if word.startswith("configs/")), line


def as_config_value(value: Any) -> str:
    """A default as the tables write it."""
    return json.dumps(value, ensure_ascii=False)


def skip_without_flax(name: str) -> None:
    """Skip the test if a name has to do with Flax, and that is not installed: it is not for Python 3.10."""
    if "flax" in name:
        pytest.importorskip("flax", reason="pip install 'spacy-bigbird[flax]'")


def find(name: str) -> Any:
    """What a dotted name stands for: modules as far as there are modules, attributes from there on."""
    skip_without_flax(name)
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            value: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            fields = {one.name for one in dataclasses.fields(value)} if dataclasses.is_dataclass(value) else set()
            assert hasattr(value, part) or part in fields, name
            value = getattr(value, part, None)
        return value
    raise AssertionError(name)
