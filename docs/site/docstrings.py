"""Docstrings in spaCy's form, as the API reference's parser reads them.

The package writes `name (type): meaning`, `RETURNS (type): meaning` and `RAISES Error: reason`, as spaCy does. griffe's
parsers know Google's sections, so this extension of griffe rewrites the docstrings while the reference is built.
"""

import re
from typing import Any

import griffe

ENTRY = re.compile(r"(?P<name>\*{0,2}\w+(?:, \w+)*) \((?P<type>(?:[^()]|\([^()]*\))+)\): (?P<text>.*)")
OUTCOME = re.compile(r"(?P<kind>RETURNS|YIELDS) \((?P<type>(?:[^()]|\([^()]*\))+)\): (?P<text>.*)")
FAILURE = re.compile(r"RAISES (?P<type>[\w., ]+): (?P<text>.*)")
TITLES = {"RETURNS": "Returns", "YIELDS": "Yields"}


def as_google(text: str) -> str:
    """Rewrite a docstring of spaCy's form with the sections of Google's form.

    text (str): the docstring, without the indentation of its code.
    RETURNS (str): the same words; entries stand under Args, Returns, Yields and Raises. Other text stays as it is.
    """
    prose: list[str] = []
    groups: dict[str, list[str]] = {}
    current = prose
    for line in text.splitlines():
        if match := OUTCOME.match(line):
            current = groups.setdefault(TITLES[match["kind"]], [])
            current.append(f"    {match['type']}: {match['text']}")
        elif match := FAILURE.match(line):
            current = groups.setdefault("Raises", [])
            current.append(f"    {match['type']}: {match['text']}")
        elif match := ENTRY.match(line):
            current = groups.setdefault("Args", [])
            current.append(f"    {match['name']} ({match['type']}): {match['text']}")
        elif current is not prose and line.startswith(" "):
            current.append(f"    {line}")
        else:
            current = prose
            current.append(line)
    parts = ["\n".join(prose).rstrip()]
    for title in ("Args", "Returns", "Yields", "Raises"):
        if title in groups:
            parts.append("\n".join([f"{title}:", *groups[title]]))
    # What looks like a tag ("</s>") is text.
    quoted = re.split(r"(`[^`]*`)", "\n\n".join(parts).strip())
    return "".join(part if part.startswith("`") else part.replace("<", "&lt;") for part in quoted)


class SpacyDocstrings(griffe.Extension):
    """Gives every object of the reference the rewritten docstring."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring:
            obj.docstring.value = as_google(obj.docstring.value)
