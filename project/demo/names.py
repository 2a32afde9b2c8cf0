"""Real names in real prose: what the encoder of this repository and its head for entities find in a chapter."""

from collections import Counter
from html import escape
from pathlib import Path

import srsly
from spacy.tokens import Doc, Span
from wasabi import msg

from spacy_bigbird.visualize import render

from ..models.recipes import heads
from ..models.recipes.entities import FOLDER
from .reading import MODEL, read

# In the public domain, see northanger_abbey.md. It is neither in the texts of the encoder's recipe nor in LitBank.
CHAPTER = Path(__file__).with_name("northanger_abbey.txt")
TITLE = "the seventh chapter of Northanger Abbey (Jane Austen, 1817)"
KINDS = {
    "PER": "People",
    "GPE": "Countries and towns",
    "FAC": "Buildings",
    "LOC": "Places",
    "ORG": "Organizations",
    "VEH": "Vehicles",
}
COLORS = {"PER": "#f7c8a0", "GPE": "#a7d8de", "FAC": "#cfe3b4", "LOC": "#f4e08f", "ORG": "#e4c9ee", "VEH": "#f0b3b3"}
ABOUT = """
<p>Nothing here is made up: the encoder <code>project/models/small</code>, with a head trained on entities in the
novels of LitBank, read {title} at once: {pieces:,} pieces in {seconds:.1f} seconds. The book was not among the texts
that either was trained on here. LitBank counts common nouns too, such as “my companion”. On its test novels, the F1
is {f:.2f}. Each entity is shown with its probability.</p>
"""


def find_names(output: Path, text: str | None = None) -> Doc:
    """Find the entities of a text, and save the pipeline that does.

    output (Path): folder for the pipeline, which `spacy.load` can load.
    text (str | None): the text; None for the chapter.
    RETURNS (Doc): the document, with the seconds that it took in `user_data["seconds"]`.
    """
    return read(heads.load(MODEL / FOLDER), output, CHAPTER.read_text(encoding="utf8") if text is None else text)


def is_name(ent: Span) -> bool:
    """RETURNS (bool): whether an entity is called by a name, unlike "my companion": a word of it is capitalized."""
    return any(token.text[:1].isupper() and not token.is_stop for token in ent)


def count_names(doc: Doc) -> dict[str, Counter[str]]:
    """RETURNS (dict[str, Counter[str]]): the names of each kind that occurs, with their numbers."""
    found: dict[str, Counter[str]] = {}
    for ent in filter(is_name, doc.ents):
        found.setdefault(KINDS.get(ent.label_, ent.label_), Counter())[" ".join(ent.text.split())] += 1
    return {kind: found[kind] for kind in sorted(found, key=[*KINDS.values(), *found].index)}


def print_names(doc: Doc) -> None:
    """Print the names of a document by kind."""
    pieces = doc._.bigbird_stats["pieces"]
    msg.text(f"{len(doc.ents)} entities in {pieces:,} pieces, read at once in {doc.user_data['seconds']:.1f} seconds.")
    for kind, names in count_names(doc).items():
        shown = ", ".join(name if count == 1 else f"{name} ({count})" for name, count in names.most_common(12))
        print(f"  {kind}: {shown}")


def names_section(doc: Doc) -> str:
    """RETURNS (str): the HTML of the chapter's section in the report."""
    scores = srsly.read_json(MODEL / FOLDER / heads.SCORES)["scores"]
    facts = {"title": TITLE, "pieces": doc._.bigbird_stats["pieces"], "seconds": doc.user_data["seconds"]}
    rows = "".join(
        f"<tr><td>{escape(kind)}</td><td style='text-align: left'>"
        + escape(", ".join(f"{name} ({count})" for name, count in names.most_common()))
        + "</td></tr>"
        for kind, names in count_names(doc).items()
    )
    return (
        ABOUT.format(**facts, f=scores["ents_f"]["score"])
        + f"<table>{rows}</table><div class='card scroll'>{render(doc, colors=COLORS, jupyter=False)}</div>"
    )
