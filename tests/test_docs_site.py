"""The site of the documentation: docstrings become sections of the reference, and every page is reached."""

import importlib.util
import json
import re

import pytest

from .documentation import DOCS, PAGES, ROOT


@pytest.fixture(scope="module")
def as_google():
    spec = importlib.util.spec_from_file_location("docstrings", DOCS / "site" / "docstrings.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.as_google


def test_all_parts_of_a_docstring(as_google):
    text = """Encode documents.

Long ones become windows.

docs (list[Doc]): the documents, at most
    16 of them.
overlap (int | None): pieces shared by windows. Shape: (rows, width).
RETURNS (tuple[Array, Callable[[Array], Array]]): vectors, and a callback.
RAISES ValueError, OSError: nothing
    to read.
"""
    assert as_google(text) == (
        "Encode documents.\n\nLong ones become windows.\n\n"
        "Args:\n    docs (list[Doc]): the documents, at most\n        16 of them.\n"
        "    overlap (int | None): pieces shared by windows. Shape: (rows, width).\n\n"
        "Returns:\n    tuple[Array, Callable[[Array], Array]]: vectors, and a callback.\n\n"
        "Raises:\n    ValueError, OSError: nothing\n        to read."
    )


def test_prose_stays_and_tags_are_text(as_google):
    assert as_google("Reads `a < b` and </s> (the end): fine.") == "Reads `a < b` and &lt;/s> (the end): fine."


def test_every_page_is_in_the_navigation():
    listed = re.findall(r"^ +- ([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf8"), flags=re.MULTILINE)
    assert sorted(listed) == [page.name for page in PAGES]


def test_the_universe_entry_has_spacys_form():
    entry = json.loads((DOCS / "universe.json").read_text(encoding="utf8"))
    assert {"id", "title", "slogan", "description", "pip", "code_example", "category", "tags"} <= set(entry)
    compile("\n".join(entry["code_example"]), "universe", "exec")
