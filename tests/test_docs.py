"""The documentation is true: settings with their defaults, commands and options, names, links, configs, examples."""

import inspect
import re
from typing import Any

import pytest
import torch
from spacy import util
from spacy.language import Language
from spacy.util import registry
from thinc.api import Config

from spacy_bigbird import errors, visualize, warnings
from spacy_bigbird.model import BigBirdForCausalLM, BigBirdModel, warm_start
from spacy_bigbird.pretraining.settings import PretrainingSettings
from spacy_bigbird.question_answering import QuestionAnswerer
from spacy_bigbird.rules import Settings
from spacy_bigbird.serve.metrics import Metrics
from spacy_bigbird.tokenizer import BigBirdTokenizer

from .documentation import (
    COMMANDS,
    DOCS,
    FACTORIES,
    OURS,
    PACKAGE,
    PAGES,
    ROOT,
    Section,
    as_config_value,
    blocks,
    check_command_line,
    find,
    make_pipelines,
    prepare,
    section,
    sections,
    shell_lines,
    skip_without_flax,
)
from .test_structure import LEVELS, level_of

METRICS = {family.name for family in Metrics().registry.collect()}
WITH_README = [*PAGES, ROOT / "README.md"]


def settings_of(name: str) -> Section:
    """The only section about the settings of something."""
    heading = f"Settings of `{name}`"
    (found,) = [part for page in PAGES for part in sections(page) if part.heading == heading]
    return found


def check_table(name: str, defaults: dict[str, str]) -> None:
    """Every setting in its order with its default, and a meaning."""
    rows = settings_of(name).rows
    assert [(row[0], row[1]) for row in rows] == [(f"`{key}`", value) for key, value in defaults.items()]
    assert all(len(row) == 3 and row[2] for row in rows)


def code(value: Any) -> str:
    if isinstance(value, type):
        return f"`{value.__module__.split('.heads')[0].removesuffix('.encoder')}.{value.__name__}`"
    return f"`{value}`" if isinstance(value, torch.dtype) else f"`{as_config_value(value)}`"


def shown_default(parameter: inspect.Parameter) -> str:
    if parameter.kind is inspect.Parameter.VAR_KEYWORD:
        return "none"
    return "required" if parameter.default is inspect.Parameter.empty else code(parameter.default)


def defaults_of(function: Any, *, left_out: tuple[str, ...] = ("self",)) -> dict[str, str]:
    """Arguments of a function and their defaults, as the tables write them."""
    parameters = inspect.signature(function).parameters.values()
    return {one.name: shown_default(one) for one in parameters if one.name not in left_out}


# Settings


@pytest.mark.parametrize("name", FACTORIES)
def test_settings_of_components(name):
    arguments = inspect.signature(OURS[name].load()).parameters
    meta = Language.get_factory_meta(name)
    defaults = meta.default_config
    expected = {}
    for key in arguments:
        if key not in ("nlp", "name"):
            value = defaults[key]
            registered = [v for k, v in value.items() if k.startswith("@")] if isinstance(value, dict) else []
            expected[key] = f"`{registered[0]}`" if registered else code(value)
    check_table(name, expected)
    # The page of a component states the attributes that it sets.
    (text,) = [text for page in PAGES if f"Settings of `{name}`" in (text := page.read_text(encoding="utf8"))]
    assert all(attribute in text for attribute in meta.assigns if attribute.startswith(("doc", "span")))
    assert any(f"`{score}`" in text for score in meta.default_score_weights) or not meta.default_score_weights


@pytest.mark.parametrize("name", sorted(set(OURS) - set(FACTORIES)))
def test_settings_of_registered_functions(name):
    expected = defaults_of(OURS[name].load())
    if expected:
        check_table(name, expected)
    else:
        assert settings_of(name).body.strip().startswith("None.") and not settings_of(name).rows


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("render", visualize.render),
        ("QuestionAnswerer", QuestionAnswerer.__call__),
        ("from_pretrained", BigBirdModel.from_pretrained),
        ("BigBirdForCausalLM.generate", BigBirdForCausalLM.generate),
        ("warm_start", warm_start),
    ],
)
def test_settings_of_functions(name, function):
    check_table(name, defaults_of(function))


def test_settings_of_the_tokenizer():
    check_table("BigBirdTokenizer", defaults_of(BigBirdTokenizer))
    methods = section(DOCS / "tokenizer.md", "Methods")
    listed = {name for name, _ in re.findall(r"`(\w+)(\([^)]*\))?`", " ".join(row[0] for row in methods.rows))}
    public = {name for name, _ in inspect.getmembers(BigBirdTokenizer) if not name.startswith("_")}
    assert listed - {"tokenizer"} == public
    for name, arguments in re.findall(r"`(\w+)\(([^)]*)\)`", methods.body):
        function = BigBirdTokenizer.__call__ if name == "tokenizer" else getattr(BigBirdTokenizer, name)
        parameters = [str(one) for one in inspect.signature(function).parameters.values() if one.name != "self"]
        assert arguments == ", ".join(parameter.split(":")[0] for parameter in parameters), name


def pretraining_blocks(cls: Any = PretrainingSettings, prefix: str = "") -> dict[str, Any]:
    found = {}
    for name, field in cls.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Settings):
            found[f"{prefix}{name}"] = field.annotation
            found |= pretraining_blocks(field.annotation, f"{prefix}{name}.")
    return found


@pytest.mark.parametrize(("name", "cls"), pretraining_blocks().items())
def test_settings_of_the_pretraining(name, cls):
    expected = {}
    for key, field in cls.model_fields.items():
        value = field.get_default(call_default_factory=True)
        if isinstance(value, Settings):
            expected[key] = f"`[{name}.{key}]`"
        elif field.is_required():
            expected[key] = "required"
        else:
            expected[key] = f"`{value:f}`" if isinstance(value, float) and value < 1e-3 else code(value)
    rows = settings_of(f"[{name}]").rows
    given = {row[0].strip("`"): row[1] for row in rows}
    assert list(given) == list(expected)
    for key, value in expected.items():
        number = re.fullmatch(r"`[\d.]+`", value)
        assert float(given[key].strip("`")) == float(value.strip("`")) if number else given[key] == value, key


# The command line


def shown(parameter: Any) -> str:
    """The default of an option as the tables write it."""
    if parameter.required:
        return "required"
    if parameter.default is None or parameter.default is False or parameter.default == ():
        return "off" if parameter.is_flag else "none"
    if parameter.default is True:
        return "on"
    return f"`{getattr(parameter.default, 'value', parameter.default)}`"


def test_every_command_has_a_section():
    (overview, *_) = sections(DOCS / "command-line.md")[1:]
    assert {row[0] for row in overview.rows} == {f"[{name}](#{name})" for name in COMMANDS}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_options_of_a_command(name):
    rows = {row[0]: row[1] for row in section(DOCS / "command-line.md", f"`{name}`").rows}
    expected = {}
    for parameter in COMMANDS[name].params:
        if parameter.param_type_name == "argument":
            expected[f"`{parameter.name.upper()}`"] = shown(parameter)
        elif parameter.name != "help":
            flags = [*parameter.opts, *parameter.secondary_opts]
            expected[", ".join(f"`{flag}`" for flag in sorted(flags, key=lambda f: not f.startswith("--")))] = shown(
                parameter
            )
    assert rows == expected


def test_command_lines_in_the_pages_name_what_there_is():
    lines = [line for page in PAGES for line in shell_lines(page) if line.startswith("python -m spacy ")]
    assert len(lines) >= len(COMMANDS)
    for line in lines:
        check_command_line(line)


# Names and links


@pytest.mark.parametrize("page", WITH_README, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for text, target in re.findall(r"\[([^\]]*)\]\(([^)\s]+)\)", page.read_text(encoding="utf8")):
        if "://" in target or not re.search(r"\.\w+|#", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), f"[{text}]({target})"
        if anchor:
            anchors = [re.sub(r"[^\w\- ]", "", part.heading.lower()).replace(" ", "-") for part in sections(file)]
            assert anchor in anchors, f"[{text}]({target})"


def test_every_page_is_linked_from_the_first_page():
    text = (DOCS / "index.md").read_text(encoding="utf8")
    assert [page.name for page in PAGES if page.name != "index.md" and f"({page.name})" not in text] == []


@pytest.mark.parametrize("page", WITH_README, ids=lambda page: page.name)
def test_names_exist(page):
    text = page.read_text(encoding="utf8")
    for name in set(re.findall(r"\bspacy_bigbird(?:\.\w+)+", text)):
        find(name)
    for name in set(re.findall(r"\bspacy-bigbird\.\w+\.v\d+", text)):
        assert name in OURS, name
    for name in set(re.findall(r"\bB[BW]\d{3}\b", text)):
        assert hasattr(errors.Errors, name) or hasattr(warnings.Warnings, name), name
    for name in set(re.findall(r"`((?:configs|docs|tests|benchmarks|spacy_bigbird)/[\w./-]*)`", text)):
        place = PACKAGE.parent if name.startswith("spacy_bigbird/") else ROOT
        assert (place / name).exists(), name
    for name in set(re.findall(r"`(bigbird_\w+)`", text)) - {"bigbird_stats", *METRICS}:
        assert name in FACTORIES, name


def test_levels_of_the_design_are_those_that_are_checked():
    rows = section(DOCS / "design.md", "Levels").rows
    for level, paths, _ in rows:
        for path in re.findall(r"`([\w./]+)`", paths):
            assert (PACKAGE / path).exists(), path
            module = path.removesuffix(".py").strip("/").replace("/", ".")
            assert level_of(module) == int(level), path
    assert [int(row[0]) for row in rows] == sorted(set(LEVELS.values()))


# Configs and examples


def with_parents(text: str) -> str:
    """An excerpt with the headings of the sections around its own, which a config must have."""
    names = [name.split(".") for name in re.findall(r"^\[(.+)\]$", text, flags=re.MULTILINE)]
    parents = dict.fromkeys(".".join(name[:length]) for name in names for length in range(1, len(name)))
    return "".join(f"[{parent}]\n" for parent in parents if f"[{parent}]\n" not in text) + text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_configs_build(page):
    for text in blocks(page, "ini"):
        config = Config().from_str(text if "[nlp]" in text else with_parents(text))
        registry.fill({key: value for key, value in config.items() if key != "nlp"})
        if "nlp" in config:
            nlp = util.load_model_from_config(config, auto_fill=True)
            assert nlp.pipe_names == config["nlp"]["pipeline"] and nlp.batch_size == 16


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, vocab_file):
    folder = tmp_path_factory.mktemp("examples")
    prepare(folder, vocab_file)
    with pytest.warns(UserWarning, match="BW050"):
        make_pipelines(folder)
    return folder


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name)
def test_examples_run(page, prepared, monkeypatch, capsys):
    skip_without_flax(page.stem)
    monkeypatch.chdir(prepared)
    for text in blocks(page, "python"):
        exec(compile(text, page.name, "exec"), {"__name__": "example"})
