"""Put a trained pipeline for questions into the folder of the encoder that it was trained from, with its scores.

Only the weights that training changed are written, in float16, to `questions`; `load` takes the others from the model's
own folder. Before that, the threshold for "no answer" is chosen on the development paragraphs, and `scores.json` gets
the scores on the test articles: for each paragraph alone, and for whole articles.
"""

import argparse
import json
import re
import shutil
import time
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import spacy
import torch
from safetensors.torch import load_file, save_file
from spacy.language import Language
from spacy.training import Example
from spacy.util import load_config, load_model_from_config
from thinc.api import Config

from spacy_bigbird.annotations.questions import Answer, gold_texts, read_questions
from spacy_bigbird.bakeoff.statistics import interval, mean
from spacy_bigbird.scoring.squad import AnsweredQuestion, best_null_threshold, question_scores, squad_scores

from .arguments import add_paths, require

FOLDER, CONFIG, WEIGHTS, SCORES = "questions", "config.cfg", "changed.safetensors", "scores.json"
HEAD = "bigbird_span_qa"
QUARTERS = 4
# Pieces of question and text that are read at once. The model has learned from paragraphs: about long parts of the
# development articles, its F1 is 0.55 in windows of 512 pieces, 0.28 in windows of 704, and 0.18 in windows of 1,024.
WINDOW = 512
META = {
    "name": "bigbird_questions",
    "lang": "en",
    "description": "Answers to questions about any English text, as parts of it, or none",
    "notes": (
        "For facts in English encyclopedia articles and texts like them, said in one sentence. In "
        "agreements and reports most of its answers are wrong. Trained on 8,200 questions only."
    ),
    "license": "CC BY-SA 4.0",
    "sources": [
        {
            "name": "SQuAD 1.1",
            "url": "https://rajpurkar.github.io/SQuAD-explorer/",
            "license": "CC BY-SA 4.0",
            "author": "Rajpurkar, Zhang, Lopyrev, Liang (EMNLP 2016)",
        },
    ],
}


def load(folder: Path, **encoder_settings: Any) -> Language:
    """Load the pipeline that answers questions.

    folder (Path): folder of what it has learned, in that of the model, such as project/models/small/questions.
    **encoder_settings (Any): changed settings of the component's model.
    RETURNS (Language): the pipeline. `to_disk` writes all of it, for `spacy.load`.
    RAISES FileNotFoundError: the model answers no questions.
    """
    if not (folder / CONFIG).exists():
        raise FileNotFoundError(f"{folder} does not exist or has no {CONFIG}: this model answers no questions.")
    settings = {"name": str(folder.parent), **encoder_settings}
    overrides = {f"components.{HEAD}.model.{name}": value for name, value in settings.items()}
    nlp = load_model_from_config(load_config(folder / CONFIG, overrides))
    pipe: Any = nlp.get_pipe(HEAD)
    start(pipe)
    weights = pipe.shim.module.canonical_weights()
    with torch.no_grad():
        for name, value in load_file(folder / WEIGHTS).items():
            weights[name].copy_(value)
    nlp.meta.update(json.loads((folder / "meta.json").read_text(encoding="utf8")))
    return nlp


def start(pipe: Any) -> None:
    """Read the encoder that the settings name. Its missing head is no cause for a warning: it follows."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"\[BW050\]")
        pipe.model.initialize()


def export(nlp: Language, model: Path, corpus: Path) -> dict[str, Any]:
    """Write what a trained pipeline has learned to a model's folder.

    nlp (Language): the pipeline, which started from the model.
    model (Path): folder of the model.
    corpus (Path): folder of dev.json, paragraphs.json and articles.json, see `squad`.
    RETURNS (dict[str, Any]): the scores.
    """
    pipe: Any = nlp.get_pipe(HEAD)
    asked, _ = answered(nlp, corpus / "dev.json")
    values = [question_scores(row.gold, row.best_text)[1] for _, _, row in asked]
    threshold = best_null_threshold(values, [row for _, _, row in asked])[1]
    pipe.set(null_threshold=threshold)
    parts = {part: measured(nlp, corpus / f"{part}.json") for part in ("paragraphs", "articles")}
    of_all = {f"{part}_{name}": found[name] for part, found in parts.items() for name in ("f1", "exact")}
    scores = {"scores": of_all, "null_threshold": threshold, **parts}
    folder = model / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    config = nlp.config
    kept = {name: config[name] for name in ("nlp", "components")}
    kept["components"][HEAD] |= {"null_threshold": threshold}
    kept["components"][HEAD]["model"] |= {"name": None, "vocab_file": None}
    Config(kept).to_disk(folder / CONFIG)
    save_file(changed_weights(pipe, model), folder / WEIGHTS)
    for name, content in (("meta.json", META), (SCORES, scores)):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf8")
    return scores


def changed_weights(pipe: Any, model: Path) -> dict[str, torch.Tensor]:
    """RETURNS (dict[str, Tensor]): the weights that differ from the model's, in float16, by canonical name."""
    settings = {"name": str(model), "transformer_config": pipe.shim.settings.transformer_config}
    untrained: Any = spacy.blank("en").add_pipe(HEAD, config={"model": settings})
    start(untrained)
    before = untrained.shim.module.canonical_weights()
    after = pipe.shim.module.canonical_weights()
    return {
        name: value.detach().half().contiguous()
        for name, value in after.items()
        if name.startswith("qa_head.") or not torch.equal(value, before[name])
    }


def answered(nlp: Language, path: Path) -> tuple[list[tuple[int, int, AnsweredQuestion]], float]:
    """Answer the questions of a file.

    nlp (Language): the pipeline.
    path (Path): the file, in SQuAD's form.
    RETURNS (tuple): number of the text, quarter of it in which the first correct answer begins (-1 for none) and the
        answer, for each question; and the seconds that all of them took.
    """
    rows = []
    start = time.perf_counter()
    for number, example in enumerate(examples_of(nlp, path)):
        doc = nlp(example.predicted)
        for question, answer in zip(read_questions(example.reference), map(Answer, doc._.answers), strict=True):
            row = AnsweredQuestion(gold_texts(question), answer.text, answer.best_text, answer.null_odds, answer.score)
            rows.append((number, quarter(question, example), row))
    return rows, time.perf_counter() - start


def examples_of(nlp: Language, path: Path) -> Iterable[Example]:
    """YIELDS (Example): the texts of a file in SQuAD's form, with their questions."""
    return spacy.registry.readers.get("spacy-bigbird.SquadCorpus.v1")(path)(nlp)


def quarter(question: dict[str, Any], example: Example) -> int:
    """RETURNS (int): the quarter of the text in which the first correct answer begins; -1 if there is none."""
    starts = [answer["answer_start"] for answer in question.get("answers") or ()]
    return min(starts) * QUARTERS // max(1, len(example.text)) if starts else -1


def measured(nlp: Language, path: Path) -> dict[str, Any]:
    """Score the answers to the questions of a file, and the baseline's.

    RETURNS (dict[str, Any]): exact match and F1 with intervals over texts, with and without an answer, by the quarter
        of the text, of the sentence with the most words of the question, and seconds per question.
    """
    asked, seconds = answered(nlp, path)
    texts = [number for number, _, _ in asked]
    found = squad_scores([row for _, _, row in asked])
    guesses = [(gold, guess) for gold, guess in most_common_words(nlp, path)]
    scores = {
        "texts": len(set(texts)),
        "questions": len(asked),
        "f1": over_texts(texts, [question_scores(row.gold, row.prediction)[1] for _, _, row in asked]),
        "exact": over_texts(texts, [question_scores(row.gold, row.prediction)[0] for _, _, row in asked]),
        "sentence_f1": over_texts(texts, [question_scores(gold, guess)[1] for gold, guess in guesses]),
        "seconds_per_question": seconds / max(1, len(asked)),
    }
    scores |= {
        name: found[f"qa_{name}"] for name in ("hasans_f1", "hasans_exact", "noans_f1", "best_f1", "risk_coverage")
    }
    places = {place: [row for _, where, row in asked if where == place] for place in range(QUARTERS)}
    scores["f1_by_quarter"] = [
        float(np.mean([question_scores(row.gold, row.prediction)[1] for row in rows])) if rows else None
        for rows in places.values()
    ]
    return scores


def over_texts(texts: Sequence[int], values: Iterable[float]) -> dict[str, float]:
    """RETURNS (dict[str, float]): the mean of values, and its interval over the texts that they belong to."""
    counts = np.zeros((max(texts) + 1, 2))
    for text, value in zip(texts, values, strict=True):
        counts[text] += (value, 1)
    return interval(counts, mean)


def most_common_words(nlp: Language, path: Path) -> Iterable[tuple[list[str], str]]:
    """YIELDS (tuple): for each question, its answers, and the sentence that shares the most words with it."""
    for example in examples_of(nlp, path):
        sentences = re.split(r"(?<=[.!?])\s+|\n+", example.text)
        words = [set(re.findall(r"\w+", sentence.lower())) for sentence in sentences]
        for question in read_questions(example.reference):
            wanted = set(re.findall(r"\w+", question["question"].lower()))
            best = max(range(len(sentences)), key=lambda number: len(words[number] & wanted))
            yield gold_texts(question), sentences[best]


def main(arguments: Sequence[str] | None = None) -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    corpus = "folder of dev.json, paragraphs.json and articles.json"
    add_paths(options, pipeline="the trained pipeline", model="folder of the model that it started from", corpus=corpus)
    given = options.parse_args(arguments)
    require(options, given.pipeline / CONFIG, given.model / "model.safetensors", given.corpus / "articles.json")
    window = {f"components.{HEAD}.model.transformer_config.max_position_embeddings": WINDOW}
    nlp = spacy.load(given.pipeline, config=window)
    print(json.dumps(export(nlp, given.model, given.corpus), indent=2))


if __name__ == "__main__":
    main()
