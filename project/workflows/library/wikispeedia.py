"""The articles of Schools Wikipedia, in either form of their corpus."""

import re
import urllib.parse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .sources import Asset, read_archive, read_json_lines


class Article(NamedTuple):
    """An article. labels (list[str]): its subjects. part (str | None): its split, if the corpus has one."""

    name: str
    text: str
    labels: list[str]
    part: str | None


def read_articles(asset: Asset) -> Iterator[Article]:
    """Read the articles from either form. The upstream form has no split."""
    if asset.is_converted:
        for row in read_json_lines(asset.path):
            yield Article(row["id"], row["text"], row["labels"], row["split"])
        return
    labels: dict[str, set[str]] = defaultdict(set)
    for _, content in read_archive(asset.path, "*/data/wikispeedia_paths-and-graph/categories.tsv"):
        for line in content.splitlines():
            article, _, category = line.partition("\t")
            if category and not line.startswith("#"):
                labels[urllib.parse.unquote(article)].add(category.split(".")[1])
    found = read_archive(asset.path, "*/data/plaintext_articles/*.txt")
    articles = {urllib.parse.unquote(Path(name).stem): content for name, content in found}
    for name, content in sorted(articles.items()):
        yield Article(name, unwrapped(content), sorted(labels[name]), None)


def unwrapped(content: str) -> str:
    """RETURNS (str): the paragraphs of an upstream article, without the lines that name its subjects."""
    content = content.replace("#copyright", "", 1)
    content = re.sub(r"^\d+ Schools Wikipedia Selection\. Related subjects:.*(\n.+)*", "", content, flags=re.MULTILINE)
    paragraphs = (
        " ".join(line.strip() for line in paragraph.splitlines() if line.strip() != "Enlarge")
        for paragraph in re.split(r"\n\s*\n", content)
    )
    return "\n\n".join(paragraph.strip() for paragraph in paragraphs if paragraph.strip())
