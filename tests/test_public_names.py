"""docs/public-names.md lists what users may rely on: no more and no less than there is."""

import importlib
import re
from importlib.metadata import entry_points

import pytest

from .documentation import COMMANDS, DOCS, PACKAGE, ROOT, section, skip_without_flax

PAGE = DOCS / "public-names.md"
MODULES = {
    re.findall(r"`([\w.]+)`", row[0])[0]: re.findall(r"`(\w+)`", row[1]) for row in section(PAGE, "Modules").rows
}


@pytest.mark.parametrize("module", MODULES)
def test_names_of_a_module(module):
    skip_without_flax(module)
    assert MODULES[module] == sorted(MODULES[module]) == sorted(importlib.import_module(module).__all__)


def test_the_reference_has_a_page_for_every_module():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf8")
    assert re.findall(r"reference/([\w.]+)\.md", navigation) == list(MODULES)


def test_attributes_of_documents():
    text = section(PAGE, "Attributes of documents").body
    listed = set(re.findall(r"`(?:doc|span)\._\.(\w+)`", text))
    source = "\n".join(path.read_text(encoding="utf8") for path in PACKAGE.rglob("*.py"))
    used = set(re.findall(r"doc\._\.(\w+) = ", source)) - {"trf_data"}
    assert used <= listed and {"answers", "bigbird_stats", "score"} <= listed


def test_registered_names_have_the_package_s_form():
    for group in ("architectures", "batchers", "loggers", "readers", "scorers"):
        names = [point.name for point in entry_points(group=f"spacy_{group}") if "spacy_bigbird" in point.value]
        assert names and all(re.fullmatch(r"spacy-bigbird\.\w+\.v\d+", name) for name in names)
    factories = [point.name for point in entry_points(group="spacy_factories") if "spacy_bigbird" in point.value]
    assert all(name == "bigbird" or name.startswith("bigbird_") for name in factories)
    assert "check" in COMMANDS
