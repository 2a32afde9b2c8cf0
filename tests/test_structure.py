"""The structure that docs/design.md promises: levels of import, a pure PyTorch core, small files, coded messages."""

import ast
import configparser
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "spacy_bigbird"
FILES = sorted(PACKAGE.rglob("*.py"))
OTHER_FOLDERS = ("benchmarks", "docs", "project", "scripts", "tests")
MAX_LINES = 300
FORBIDDEN_IN_THE_CORE = {"spacy", "thinc", "transformers", "spacy_transformers"}
LAST_CORE_LEVEL = 12

# The longest matching prefix of a module's path decides its level.
LEVELS = {
    "": 0,
    "errors": 0,
    "atomic": 1,
    "rules": 1,
    "warnings": 1,
    "checkpoint": 2,
    "corpora.broken_records": 2,
    "files": 2,
    "schedules": 2,
    "plan": 3,
    "tokenizer": 4,
    "model.activations": 5,
    "model.cpu": 6,
    "model.initialization": 7,
    "model.outputs": 7,
    "model.packed": 7,
    "model.padded": 7,
    "model.attention.engines": 7,
    "model.attention": 8,
    "model.layers": 9,
    "model.decoder": 10,
    "model": 11,
    "model.heads": 12,
    "flax": 13,
    "cache": 12,
    "thinc_layers": 13,
    "distributed": 13,
    "architectures": 14,
    "annotations": 14,
    "pipeline.ner.crf": 14,
    "corpora": 15,
    "corpora.convert": 16,
    "scoring": 15,
    "pretraining": 16,
    "resume": 16,
    "check.upstreams": 16,
    "pipeline.settings": 17,
    "pipeline.trainable": 17,
    "pipeline.labelled": 17,
    "pipeline.configured": 17,
    "pipeline.held_out": 17,
    "pipeline.probabilities": 17,
    "pipeline": 18,
    "visualize": 18,
    "question_answering": 19,
    "check": 19,
    "apply": 19,
    "serve": 20,
    "bakeoff": 20,
    "cli": 21,
}
# The public face of the PyTorch level gathers the names of the heads.
FACADES = {"model.__init__": 12}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def level_of(module: str) -> int:
    if module in FACADES:
        return FACADES[module]
    parts = module.removesuffix("__init__").rstrip(".").split(".")
    for length in range(len(parts), 0, -1):
        prefix = ".".join(parts[:length])
        if prefix in LEVELS:
            return LEVELS[prefix]
    raise AssertionError(f"spacy_bigbird/{module} has no level: add its folder to LEVELS")


def folder_of(module: str) -> str:
    return module.rpartition(".")[0]


def imported_modules(path: Path) -> Iterator[str]:
    """Absolute names of everything that a file imports, wherever in the file the import stands."""
    package = ["spacy_bigbird", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                is_module = (PACKAGE.parent / Path(*origin.split("."), f"{alias.name}.py")).exists()
                yield f"{origin}.{alias.name}" if is_module else origin


def own_imports(path: Path) -> set[str]:
    """Modules of this package that a file imports, as `module_name` gives them."""
    found = set()
    for name in imported_modules(path):
        if name.split(".")[0] == "spacy_bigbird":
            inside = name.removeprefix("spacy_bigbird").lstrip(".")
            is_package = (PACKAGE / Path(*inside.split("."))).is_dir()
            found.add(".".join(filter(None, [inside, "__init__"])) if is_package else inside)
    return found


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_come_from_lower_levels_or_the_own_folder(path):
    module = module_name(path)
    for other in own_imports(path):
        if module in FACADES or folder_of(other) == folder_of(module):
            continue
        assert level_of(other) < level_of(module), f"{module} (level {level_of(module)}) imports {other}"


def test_no_cycles_inside_a_folder():
    graph = {module_name(path): own_imports(path) for path in FILES}
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join([*trail, module])
        if module not in done:
            for other in graph.get(module, ()):
                visit(other, (*trail, module))
            done.add(module)

    for module in graph:
        visit(module, ())
    assert done >= set(graph)


@pytest.mark.parametrize("path", [p for p in FILES if level_of(module_name(p)) <= LAST_CORE_LEVEL], ids=module_name)
def test_the_core_knows_no_spacy_thinc_or_transformers(path):
    imported = {name.split(".")[0] for name in imported_modules(path)}
    assert not imported & FORBIDDEN_IN_THE_CORE


@pytest.mark.parametrize("folder", ["spacy_bigbird", *OTHER_FOLDERS])
def test_files_stay_small(folder):
    lines = {path: path.read_text(encoding="utf8").count("\n") for path in (PACKAGE.parent / folder).rglob("*.py")}
    assert {str(path): number for path, number in lines.items() if number > MAX_LINES} == {}


def test_importing_the_package_is_cheap():
    code = "import sys, spacy_bigbird; print(sorted({'torch', 'spacy', 'thinc', 'numpy'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_files_that_are_not_python_are_listed_for_the_wheel():
    setup = configparser.ConfigParser()
    setup.read(PACKAGE.parent / "setup.cfg", encoding="utf8")
    listed = set()
    for name, patterns in setup["options.package_data"].items():
        folder = PACKAGE.parent.joinpath(*name.split("."))
        listed |= {path for pattern in patterns.split() for path in folder.glob(pattern)}
    found = {path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert found == listed and PACKAGE / "py.typed" in found


def test_every_message_has_one_code_and_is_used():
    files = [*(PACKAGE / "errors").glob("*.py"), PACKAGE / "warnings.py"]
    source = "\n".join(path.read_text(encoding="utf8") for path in files)
    codes = re.findall(r"^    (B[BW]\d{3}) = ", source, flags=re.MULTILINE)
    assert len(codes) == len(set(codes))
    users = "\n".join(path.read_text(encoding="utf8") for path in FILES if path not in files)
    used = set(re.findall(r"\b(?:Errors|Warnings)\.(B[BW]\d{3})\b", users))
    assert [code for code in codes if code not in used] == []


def test_only_the_room_of_the_cpu_asks_for_the_kind_of_a_device():
    asking = [path for path in (PACKAGE / "model").rglob("*.py") if "device.type" in path.read_text(encoding="utf8")]
    assert {path.parent.name for path in asking} == {"cpu"}


def test_commands_in_docstrings_name_modules_that_exist():
    root, wrong = PACKAGE.parent, []
    for path in (
        path for folder in ("spacy_bigbird", "project", "benchmarks") for path in (root / folder).rglob("*.py")
    ):
        for name in re.findall(
            r"python -m ((?:\w+\.)+\w+)", ast.get_docstring(ast.parse(path.read_text("utf8"))) or ""
        ):
            # The workflows are run from the project's folder.
            base = root / "project" if name.startswith("workflows.") else root
            folder = base.joinpath(*name.removesuffix(".NAME").split("."))
            if not folder.is_dir() and not folder.with_suffix(".py").is_file():
                wrong.append(f"{path.relative_to(root)}: python -m {name}")
    assert not wrong
