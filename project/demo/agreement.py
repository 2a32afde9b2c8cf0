"""A real agreement: what the encoder of this repository and its head for clauses find in a licence."""

from html import escape
from pathlib import Path

import srsly
from spacy.tokens import Doc, Span
from wasabi import msg

from spacy_bigbird.visualize import render

from ..models.recipes import heads
from ..models.recipes.contracts import FOLDER
from .reading import MODEL, read, shortened, unwrapped

# The licence of the model that the encoder comes from. It is none of the contracts that the head was trained on.
AGREEMENT = MODEL / "LICENSE.Apache-2.0.txt"
AGREEMENT_TITLE = "the Apache License 2.0"
KEY = "sc"
EVIDENCE_CHARACTERS = 100
ABOUT = """
<p>Nothing here is made up: the encoder <code>project/models/small</code>, with a head trained on {types} types of
clauses in the commercial contracts of CUAD, read {title} at once: {pieces:,} pieces in {seconds:.1f} seconds. On
other contracts of CUAD, {precision:.0%} of what it marks is right, and it finds {recall:.0%} of what lawyers marked.
Such a licence is not quite what it learned from: it has no parties and dates, and is written for software. Each
passage is shown with its probability.</p>
"""


def find_clauses(output: Path, text: str | None = None) -> Doc:
    """Find the clauses of an agreement, and save the pipeline that does.

    output (Path): folder for the pipeline, which `spacy.load` can load.
    text (str | None): the text; None for the licence.
    RETURNS (Doc): the document, with the seconds that it took in `user_data["seconds"]`.
    """
    return read(heads.load(MODEL / FOLDER), output, agreement() if text is None else text)


def agreement() -> str:
    """RETURNS (str): the licence, without the breaks and indents of its lines, which contracts do not have."""
    return unwrapped(AGREEMENT.read_text(encoding="utf8"))


def best_evidence(doc: Doc) -> list[tuple[str, float, Span, int]]:
    """Get the most probable passage of each type.

    doc (Doc): the document.
    RETURNS (list[tuple[str, float, Span, int]]): type, probability and passage, and the number of passages of the type;
        the most probable first.
    """
    by_type: dict[str, list[tuple[float, Span]]] = {}
    group = doc.spans[KEY]
    for span, score in zip(group, group.attrs["scores"], strict=True):
        by_type.setdefault(span.label_, []).append((float(score), span))
    rows = [(label, *max(found, key=lambda pair: pair[0]), len(found)) for label, found in by_type.items()]
    return sorted(rows, key=lambda row: -row[1])


def print_clauses(doc: Doc) -> None:
    """Print the clauses of a document, each with its probability and the beginning of its text."""
    pieces, seconds, rows = doc._.bigbird_stats["pieces"], doc.user_data["seconds"], best_evidence(doc)
    passages = sum(count for *_, count in rows)
    msg.text(f"{passages} passages of {len(rows)} types in {pieces:,} pieces, read at once in {seconds:.1f} seconds.")
    lines = [(label, f"{score:.2f}", shortened(span.text, EVIDENCE_CHARACTERS)) for label, score, span, _ in rows]
    msg.table(lines, header=("Clause", "p", "Evidence"), aligns=("l", "r", "l"), max_col=EVIDENCE_CHARACTERS + 5)


def clauses_section(doc: Doc) -> str:
    """RETURNS (str): the HTML of the agreement's section in the report."""
    scores = srsly.read_json(MODEL / FOLDER / heads.SCORES)
    facts = {"title": AGREEMENT_TITLE, "pieces": doc._.bigbird_stats["pieces"], "seconds": doc.user_data["seconds"]}
    overall = {"precision": scores["scores"]["p"], "recall": scores["scores"]["r"], "types": len(scores["by_type"])}
    rows = "".join(
        f"<tr><td>{escape(label)}</td><td>{score:.2f}</td><td>{count}</td>"
        f"<td class='text'>{escape(shortened(span.text, 3 * EVIDENCE_CHARACTERS))}</td></tr>"
        for label, score, span, count in best_evidence(doc)
    )
    return (
        ABOUT.format(**facts, **overall)
        + "<table><tr><th>Clause</th><th>Probability</th><th>Passages</th><th class='text'>The most probable</th></tr>"
        + f"{rows}</table><p>In their places:</p>"
        + f"<div class='card scroll'>{render(doc, 'spans', spans_key=KEY, surroundings=80, jupyter=False)}</div>"
    )
