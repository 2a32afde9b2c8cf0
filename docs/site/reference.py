"""Hook of mkdocs: writes the pages of the API reference, one for each public module, from docs/public-names.md."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

PUBLIC_NAMES = Path(__file__).parents[1] / "public-names.md"
ROW = re.compile(r"\| `(?P<module>spacy_bigbird[\w.]*)` \| (?P<names>.*?) \|")


def modules() -> dict[str, list[str]]:
    """The public modules and their names, as the table lists them."""
    rows = ROW.finditer(PUBLIC_NAMES.read_text(encoding="utf8"))
    return {row["module"]: re.findall(r"`(\w+)`", row["names"]) for row in rows}


def on_files(files: Files, config: Any) -> Files:
    """Add a page for every public module: its docstring, then each of its names."""
    for module, names in modules().items():
        directives = [
            f"# `{module}`",
            f"::: {module}\n    options:\n      members: false\n      show_root_heading: false",
        ]
        directives += [f"::: {module}.{name}" for name in names]
        files.append(File.generated(config, f"reference/{module}.md", content="\n\n".join(directives) + "\n"))
    return files


def on_nav(nav: Any, config: Any, files: Files) -> Any:
    """Titles of the reference's pages are the modules' names."""
    for page in nav.pages:
        if page.file.src_uri.startswith("reference/"):
            page.title = Path(page.file.src_uri).stem
    return nav
