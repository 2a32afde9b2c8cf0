"""Writes a self-contained HTML page about a demonstration."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from spacy.tokens import Doc
from spacy.training import Example

from spacy_bigbird.visualize import render

from .charts import curve_chart, histogram
from .contracts import FIRST_PART
from .scores import TARGETS

COLORS = {"PARTY": "#a7d8de", "PERSON": "#f7c8a0", "DATE": "#cfe3b4", "MONEY": "#e4c9ee", "TERM": "#f4e08f"}
NAMES = {
    "shared": "BigBird",
    "span_qa": "BigBird",
    "tok2vec": "spaCy tok2vec",
    "first_part": f"BigBird, first {FIRST_PART} tokens",
}
SHOWN_CHARACTERS = 3500
STYLE = """
body { font: 16px/1.55 Georgia, serif; color: #222; background: #f6f4ef; margin: 0 }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1.5rem 5rem }
h1 { font-size: 2rem; margin: 0 0 .3rem } h2 { margin: 2.5rem 0 .6rem; border-bottom: 1px solid #ccc }
h3 { margin: 1.4rem 0 .3rem; font-size: 1.05rem }
.note { background: #fff6d6; border-left: 5px solid #e0b100; padding: .7rem 1rem; margin: 1rem 0 }
.card { background: #fff; border: 1px solid #ddd; border-radius: 6px; padding: .8rem 1.1rem; margin: .8rem 0 }
.scroll { max-height: 26rem; overflow: auto }
table { border-collapse: collapse; background: #fff; width: 100% } td, th { padding: .35rem .7rem; text-align: right }
td:first-child, th:first-child { text-align: left } tr + tr td { border-top: 1px solid #e4e4e4 } th { background: #eee }
td.text, th.text { text-align: left; width: 60% }
.best { font-weight: bold } .no { color: #a33 } .yes { color: #27702a } .small { color: #666; font-size: .88rem }
figure { margin: 0 } .entities { font-family: Georgia, serif; line-height: 1.9 !important }
svg { background: #fff; border: 1px solid #ddd; border-radius: 6px; max-width: 100%; height: auto }
.row { display: flex; gap: 1rem; flex-wrap: wrap }
@media (max-width: 40rem) {
  main { padding: 1rem .7rem 3rem } h1 { font-size: 1.5rem } .card { padding: .5rem .6rem }
  table { display: block; overflow-x: auto; font-size: .85rem } td, th { padding: .25rem .4rem }
}
"""

INTRODUCTION = """
<h1>spacy-bigbird on long documents</h1>
<p>First, a licence and a chapter of a novel, read by the encoder that comes with this repository. Then, made-up
contracts: tiny BigBird pipelines, trained from random weights in minutes, read them whole, with up to {longest:,}
tokens. Seed {seed}; {minutes:.1f} minutes for everything.</p>
"""
ABOUT_CONTRACTS = """
<p class='note'><b>The data are synthetic.</b> A generator wrote every contract, with its names, dates and amounts. The
scores say whether the pipelines learn what is there to learn, not how they fare on real contracts. Each category needs
two clauses far apart; either alone is as likely with the category as without, and the first {first_part} tokens say
nothing about it.</p>
"""
ABOUT_SCORES = """
<p class='small'>On {documents} held-out contracts, answers on {asked} of them. Categories: mean over the categories of
the area under the curve (chance is 0.50) and of F1, with thresholds chosen on other contracts (saying yes to everything
gives about 0.50). The baselines learned from the same contracts, at the same time and as long as BigBird. spaCy tok2vec
reads whole contracts too, and sees single words anywhere in them; what needs the whole contract is out of reach for
whoever reads the beginning only. tok2vec has no component for answers.</p>
"""
ABOUT_EVIDENCE = """
<p>Evidence: in {one} of the categories that are rightly predicted, the sentences given as evidence touch one of the two
clauses that make it, in {both} both.</p>
"""
ABOUT_LENGTHS = """
<p class='small'>Extracts and short contracts come first in training: what a clause means is learned there, that it may
stand anywhere in the long ones. A held-out contract has {shortest:,} to {longest:,} tokens, {per_token:.2f} pieces per
token, and is read in at most {windows} window(s).</p>
"""


def write_report(
    path: Path,
    results: dict[str, Any],
    found: dict[str, list[Example]],
    train: Sequence[Doc],
    real: list[tuple[str, str]],
    answered: int = 2,
) -> None:
    """Write the page.

    path (Path): the file.
    results (dict[str, Any]): seed, seconds, scores and curves of each system.
    found (dict[str, list[Example]]): held-out contracts with the predictions of each system.
    train (Sequence[Doc]): the training contracts.
    real (list[tuple[str, str]]): title and HTML of the sections about real documents.
    answered (int): number of contracts whose answers are shown.
    """
    scores = results["scores"]
    example = min(found["shared"], key=lambda one: len(one.reference))
    sections = [
        _head(results, found),
        *real,
        (
            "How well they did on contracts",
            ABOUT_CONTRACTS.format(first_part=FIRST_PART) + _scoreboard(scores) + _details(scores),
        ),
        ("What they learned from", _lengths(train, found["shared"])),
        ("How they learned", _curves(results["curves"])),
        ("Entities, with their probabilities", _entities(example)),
        ("Categories, with the sentences that decided", _categories(found["shared"])),
        ("Answers in their context", "".join(_answers(one) for one in found["span_qa"][:answered])),
    ]
    body = sections[0] + "".join(f"<h2>{title}</h2>{content}" for title, content in sections[1:])
    page = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
    )
    page += "<title>spacy-bigbird on long documents</title>"
    path.write_text(f"{page}<style>{STYLE}</style></head><body><main>{body}</main></body></html>", encoding="utf8")


def _head(results: dict[str, Any], found: dict[str, list[Example]]) -> str:
    longest = max(len(one.reference) for one in found["shared"])
    minutes = results["seconds"] / 60
    return INTRODUCTION.format(longest=longest, seed=results["seed"], minutes=minutes)


def _number(value: Any) -> str:
    return "–" if value is None else f"{value:.2f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = "".join(f"<th>{escape(title)}</th>" for title in header)
    lines = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{cells}</tr>{lines}</table>"


def _scoreboard(scores: dict[str, dict[str, Any]]) -> str:
    columns = {
        "Entities F1": "ents_f",
        "Categories AUC": "cats_macro_auc",
        "Categories F1": "cats_macro_f",
        "Answers F1": "qa_f1",
        "Answers exact": "qa_exact",
    }
    systems = {"BigBird": {**scores["span_qa"], **scores["shared"]}}
    systems |= {NAMES[name]: scores[name] for name in ("tok2vec", "first_part")}
    rows = [[name, *(_number(found.get(key)) for key in columns.values())] for name, found in systems.items()]
    rows.append(["<i>aim for BigBird</i>", *(_number(TARGETS.get(key)) for key in columns.values())])
    documents, asked = scores["shared"]["documents"], scores["span_qa"]["documents"]
    return _table(["", *columns], rows) + ABOUT_SCORES.format(documents=documents, asked=asked)


def _details(scores: dict[str, dict[str, Any]]) -> str:
    shared = scores["shared"]
    types = [[escape(label), *(_number(row[key]) for key in "prf")] for label, row in shared["ents_per_type"].items()]
    labels = [
        [escape(label), *(_number(row[key]) for key in "prf"), _number(shared["cats_auc_per_type"].get(label))]
        for label, row in shared["cats_f_per_type"].items()
    ]
    asked = [[escape(question), _number(share)] for question, share in scores["span_qa"]["by_question"].items()]
    one, both = _number(shared["evidence_one"]), _number(shared["evidence_both"])
    return (
        "<h3>BigBird, by entity type</h3>"
        + _table(["Type", "Precision", "Recall", "F1"], types)
        + "<h3>BigBird, by category</h3>"
        + _table(["Category", "Precision", "Recall", "F1", "AUC"], labels)
        + ABOUT_EVIDENCE.format(one=one, both=both)
        + "<h3>BigBird, exact answers by question</h3>"
        + _table(["Question", "Exact"], asked)
    )


def _lengths(train: Sequence[Doc], test: Sequence[Example]) -> str:
    held_out = [len(one.reference) for one in test]
    charts = histogram([len(doc) for doc in train], "Extracts and contracts to learn from", "tokens")
    charts += histogram(held_out, "Held-out contracts", "tokens")
    pieces = [one.predicted._.bigbird_stats for one in test]
    per_token = sum(stats["pieces"] for stats in pieces) / max(1, sum(held_out))
    windows = max(stats["windows"] for stats in pieces)
    about = ABOUT_LENGTHS.format(shortest=min(held_out), longest=max(held_out), per_token=per_token, windows=windows)
    return f"<div class='row'>{charts}</div>{about}"


def _curves(curves: dict[str, list[dict[str, Any]]]) -> str:
    def points(name: str, key: str, group: str = "scores") -> list[tuple[float, float]]:
        return [(row["seconds"], row[group][key]) for row in curves[name] if key in row[group]]

    losses = {
        "entities": points("shared", "bigbird_ner", "losses"),
        "categories": points("shared", "bigbird_textcat_multilabel", "losses"),
        "answers": points("span_qa", "bigbird_span_qa", "losses"),
    }
    return (
        "<div class='row'>"
        + "".join(
            [
                curve_chart("Entities F1", {NAMES[n]: points(n, "ents_f") for n in ("shared", "tok2vec")}, top=1.0),
                curve_chart(
                    "Categories AUC",
                    {NAMES[n]: points(n, "cats_macro_auc") for n in ("shared", "tok2vec", "first_part")},
                    top=1.0,
                ),
                curve_chart("Answers F1", {NAMES["span_qa"]: points("span_qa", "qa_f1")}, top=1.0),
                curve_chart("Losses of BigBird", losses),
            ]
        )
        + "</div><p class='small'>Scores on long contracts to choose by, over the seconds of each training.</p>"
    )


def _entities(example: Example) -> str:
    doc = example.predicted
    end = next((token.i for token in doc if token.idx > SHOWN_CHARACTERS), len(doc))
    part = doc[:end].as_doc()
    for shown, ent in zip(part.ents, doc.ents, strict=False):
        shown._.score = ent._.score
    return (
        f"<p>The beginning of a held-out contract of {len(doc):,} tokens with {len(doc.ents)} entities in all.</p>"
        f"<div class='card scroll'>{render(part, colors=COLORS, jupyter=False)}</div>"
    )


def _categories(examples: Sequence[Example]) -> str:
    """Render the contract with the most categories, and everything that the pipeline predicts for it."""
    example = max(examples, key=lambda one: sum(one.reference.cats.values()))
    doc, gold = example.predicted, example.reference.cats
    rows = [
        [escape(label), f"{value:.2f}", "<span class='yes'>yes</span>" if gold[label] else "<span class='no'>no</span>"]
        for label, value in doc.cats.items()
    ]
    figures = render(doc, "evidence", surroundings=60, jupyter=False)
    return (
        f"<p>A held-out contract of {len(doc):,} tokens.</p>{_table(['Category', 'Predicted', 'True'], rows)}"
        "<p>Below, the sentences from which most of each predicted category comes, and the share of each.</p>"
        f"<div class='card scroll'>{figures}</div>"
    )


def _answers(example: Example) -> str:
    doc = example.predicted
    gold = [question["answers"][0]["text"] for question in example.reference._.questions]
    verdicts = [
        f"{escape(answer.question)} {'right' if answer.text == text else f'wrong: it is {escape(text)}'}"
        for answer, text in zip(doc._.answers, gold, strict=True)
    ]
    figures = render(doc, "answers", surroundings=110, jupyter=False)
    lines = "".join(f"<li class='small'>{verdict}</li>" for verdict in verdicts)
    return f"<h3>A contract of {len(doc):,} tokens</h3><div class='card'>{figures}<ul>{lines}</ul></div>"
