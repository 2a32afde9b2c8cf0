"""The head that finds clauses in contracts: its corpus, and its export with scores on the test contracts.

python -m project.models.recipes.contracts corpus OUTPUT
python -m project.models.recipes.contracts export PIPELINE MODEL CORPUS
"""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import spacy
import srsly
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from tqdm import tqdm

from spacy_bigbird.bakeoff.statistics import interval, mean
from spacy_bigbird.corpora.jsonl import JsonlCorpus
from spacy_bigbird.scoring.calibration import best_threshold
from spacy_bigbird.scoring.spans import Curve, Match, Outcomes, outcomes_by_label, scored_spans

from ...workflows.library.corpus import PARTS
from ...workflows.library.sources import find
from ...workflows.qa.articles import Article, read_cuad
from . import heads
from .arguments import add_paths, require

FOLDER, HEAD = "contracts", "bigbird_spancat"
PROJECT = Path(__file__).parents[2]
CONFIGS = PROJECT / "models" / "configs"
LAYERS = 4
# As CUAD's authors compare: half of the words in common, and for parties the name anywhere in the prediction.
MATCH = Match(min_overlap=0.5, by_words=True, contained=("Parties",))
META = {
    "name": "bigbird_contracts",
    "description": "Clauses of commercial contracts in English, their parties, dates and names: 41 types of CUAD",
    "notes": (
        "For commercial contracts in English. It is a first reader, not a lawyer: what it does not mark "
        "may still be there. Rare types of clauses are hardly found; in other documents it is meant to "
        "stay silent."
    ),
    "license": "CC BY-SA 3.0",
    "sources": [
        {
            "name": "CUAD v1",
            "url": "https://www.atticusprojectai.org/cuad",
            "license": "CC BY 4.0",
            "author": "Hendrycks, Burns, Chen, Ball (NeurIPS 2021), The Atticus Project",
        },
    ],
}


def write_corpus(articles: Iterable[Article], folder: Path) -> dict[str, int]:
    """Write train.jsonl, dev.jsonl and test.jsonl. An answer that ends inside of a token gets all of it.

    articles (Iterable[Article]): the contracts, each with a question per type of clause.
    folder (Path): folder for the files.
    RETURNS (dict[str, int]): the number of contracts in each file.
    """
    nlp = spacy.blank("en")
    records: dict[str, list[dict[str, Any]]] = {part: [] for part in PARTS}
    for article in articles:
        nlp.max_length = max(nlp.max_length, len(article.text))
        doc, spans = nlp.make_doc(article.text), set()
        for question in article.questions:
            label = question["id"].rsplit("__", 1)[1]
            for answer in question["answers"]:
                start = answer["answer_start"]
                span = doc.char_span(start, start + len(answer["text"]), alignment_mode="expand")
                spans.add((span.start_char, span.end_char, label))
        records[article.split].append({"text": article.text, "spans": sorted(spans)})
    folder.mkdir(parents=True, exist_ok=True)
    for part, rows in records.items():
        srsly.write_jsonl(folder / f"{part}.jsonl", rows)
    return {part: len(rows) for part, rows in records.items()}


def predict(nlp: Language, path: Path) -> list[Example]:
    """RETURNS (list[Example]): the documents of a .jsonl file with the pipeline's predictions."""
    pairs = [(example.predicted, example.reference) for example in JsonlCorpus(path)(nlp)]
    found = nlp.pipe(tqdm(pairs, path.stem, unit="doc"), as_tuples=True)
    return [Example(doc, reference) for doc, reference in found]


def presence(docs: Sequence[Doc], labels: Sequence[str], key: str) -> np.ndarray:
    """Get the highest probability of a span of each label in each document. Shape: (documents, labels)."""
    values = np.zeros((len(docs), len(labels)))
    for row, doc in zip(values, docs, strict=True):
        for span, probability in scored_spans(doc, key):
            if span.label_ in labels:
                column = labels.index(span.label_)
                row[column] = max(row[column], probability)
    return values


def presence_scores(
    dev: Sequence[Example], test: Sequence[Example], labels: Sequence[str], keys: tuple[str, str]
) -> dict:
    """Score which types of clauses a contract has at all, with a threshold for each that is chosen on dev.

    dev, test (Sequence[Example]): documents with predictions.
    labels (Sequence[str]): the labels.
    keys (tuple[str, str]): keys of the annotated spans, and of the predicted ones with all probabilities.
    RETURNS (dict[str, Any]): `micro_f` with the `low` and `high` ends of its interval over documents, `macro_f` over
        the labels that the test documents have, and `by_type`.
    """
    (known, gold), (found, wanted) = (
        (
            presence([example.predicted for example in part], labels, keys[1]),
            presence([example.reference for example in part], labels, keys[0]) > 0,
        )
        for part in (dev, test)
    )
    thresholds = np.array([best_threshold(known[:, n].tolist(), gold[:, n].tolist()) for n in range(len(labels))])
    said = found >= thresholds
    right, both = (said & wanted).sum(axis=0), said.sum(axis=0) + wanted.sum(axis=0)
    f1 = 2 * right / np.maximum(both, 1)
    there = wanted.any(axis=0)
    by_type = {
        label: {"f": round(float(f1[n]), 4), "contracts": int(wanted[:, n].sum()), "threshold": float(thresholds[n])}
        for n, label in enumerate(labels)
    }
    of_documents = np.stack([2 * (said & wanted).sum(axis=1), said.sum(axis=1) + wanted.sum(axis=1)], axis=1)
    micro = interval(of_documents, mean)
    ends = {"low": micro["low"], "high": micro["high"]}
    return {"micro_f": micro["score"], **ends, "macro_f": round(float(f1[there].mean()), 4), "by_type": by_type}


def span_scores(examples: Sequence[Example], keys: tuple[str, str]) -> dict[str, dict[str, float]]:
    """Score the spans of each label, and of all under "": precision, recall and F1 of those that are predicted, and the
    curve of all. A prediction counts as MATCH says.

    examples (Sequence[Example]): documents with predictions.
    keys (tuple[str, str]): keys of the predicted spans, and of those with all probabilities.
    RETURNS (dict[str, dict[str, float]]): `p`, `r`, `f`, `aupr`, `p80r` and the number of `spans` annotated.
    """
    predicted, possible = (
        outcomes_by_label(
            ((list(one.reference.spans[keys[0]]), scored_spans(one.predicted, key)) for one in examples), MATCH
        )
        for key in keys
    )
    for found in (predicted, possible):
        found[""] = sum(found.values(), Outcomes())
    return {label: _scores(predicted.get(label, Outcomes()), possible[label]) for label in sorted(possible)}


def _scores(predicted: Outcomes, possible: Outcomes) -> dict[str, float]:
    curve, annotated = Curve.of(possible), len(possible.best)
    count, found = len(predicted.right) + len(predicted.wrong), int(np.isfinite(predicted.best).sum())
    precision, recall = len(predicted.right) / max(count, 1), found / max(annotated, 1)
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    values = {"p": precision, "r": recall, "f": f1, "aupr": curve.area(), "p80r": curve.precision_at(0.8)}
    return {name: round(value, 4) for name, value in values.items()} | {"spans": annotated}


def export(nlp: Language, model: Path, corpus: Path) -> dict[str, Any]:
    """Score a calibrated pipeline, and write its head to the folder of the model that is its encoder.

    nlp (Language): the pipeline.
    model (Path): folder of the model.
    corpus (Path): folder of dev.jsonl and test.jsonl.
    RETURNS (dict[str, Any]): the scores on the test documents, which are also written to scores.json.
    """
    head = nlp.get_pipe(HEAD)
    keys = head.settings.spans_key, head.settings.candidates_key
    dev, test = (predict(nlp, corpus / f"{part}.jsonl") for part in ("dev", "test"))
    by_type = span_scores(test, keys)
    scored = head.score(test)
    scores = {
        "documents": len(test),
        "scores": by_type.pop(""),
        "equal_spans_f": round(scored[f"spans_{keys[0]}_f"], 4),
        "calibration_error": round(scored[f"spans_{keys[0]}_ece"], 4),
        "reliability": scored[f"spans_{keys[0]}_reliability"],
        "by_type": by_type,
        "clause_present": presence_scores(dev, test, head.labels, keys),
    }
    # What the training needed is of no use to those who read contracts: all spans that are barely possible.
    head.set(candidates_key=None)
    heads.save(nlp, model / FOLDER, META, transformer_config={"num_hidden_layers": LAYERS})
    srsly.write_json(model / FOLDER / heads.SCORES, scores)
    return scores


def main(arguments: Sequence[str] | None = None) -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = options.add_subparsers(dest="step", required=True)
    corpus = steps.add_parser("corpus", help="write train.jsonl, dev.jsonl and test.jsonl")
    corpus.add_argument("output", type=Path, help="folder for the files")
    head = steps.add_parser("export", help="score a trained pipeline and write its head")
    pipeline, model = "the trained and calibrated pipeline", "folder of the model that is its encoder"
    add_paths(head, pipeline=pipeline, model=model, corpus="folder of dev.jsonl and test.jsonl")
    given = options.parse_args(arguments)
    if given.step == "corpus":
        print(write_corpus(read_cuad(find("cuad", PROJECT), None), given.output))
        return
    require(options, given.pipeline / heads.CONFIG, given.model / "model.safetensors", given.corpus / "test.jsonl")
    scores = export(spacy.load(given.pipeline), given.model, given.corpus)
    print(scores["scores"], {name: scores["clause_present"][name] for name in ("micro_f", "macro_f")})


if __name__ == "__main__":
    main()
