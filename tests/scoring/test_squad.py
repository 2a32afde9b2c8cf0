"""The SQuAD scores against a second implementation, written word by word from the published definitions."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_bigbird.scoring.squad import (
    AnsweredQuestion,
    best_null_threshold,
    normalize_answer,
    question_scores,
    risk_coverage_area,
    squad_scores,
    token_f1,
)

WORDS = ["the", "a", "an", "The", "River", "river,", "Seine", "1,200", "U.S.", "--", "!", "flows", "état", "An"]


def plain_words(text):
    """Words of the published normalization, character by character."""
    kept = "".join(c for c in text.lower() if c not in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
    return [word for word in re.split(r"\s+", re.sub(r"\b(?:the|an|a)\b", " ", kept)) if word]


def plain_f1(gold, guess, version):
    gold, guess = plain_words(gold), plain_words(guess)
    if version == "2.0" and (not gold or not guess):
        return int(gold == guess)
    left, same = list(gold), 0
    for word in guess:
        if word in left:
            left.remove(word)
            same += 1
    if not same:
        return 0
    precision, recall = 1.0 * same / len(guess), 1.0 * same / len(gold)
    return (2 * precision * recall) / (precision + recall)


def plain_scores(golds, guess, version):
    if version == "2.0":
        golds = [gold for gold in golds if plain_words(gold)] or [""]
    exact = max(int(plain_words(gold) == plain_words(guess)) for gold in golds)
    return exact, max(plain_f1(gold, guess, version) for gold in golds)


def plain_best(rows, position):
    """The best mean over every possible threshold, each tried from scratch."""
    means = {}
    for threshold in [float("-inf"), *sorted({row["odds"] for row in rows})]:
        values = []
        for row in rows:
            text = "" if row["odds"] > threshold else row["best"]
            values.append(plain_scores(row["gold"] or [""], text, "2.0")[position])
        means[threshold] = sum(values) / len(values)
    return max(means.values())


def random_rows(count, seed, impossible):
    rng = random.Random(seed)
    rows = []
    for _ in range(count):

        def text() -> str:
            return " ".join(rng.choices(WORDS, k=rng.randint(0, 5)))

        gold = [] if rng.random() < impossible else [text() for _ in range(rng.randint(1, 3))]
        best = rng.choice([*gold, text(), text()])
        odds = rng.gauss(0, 2)
        rows.append({"gold": gold, "best": best, "odds": odds, "given": "" if odds > 0 else best})
    return rows


def as_questions(rows):
    return [AnsweredQuestion(r["gold"], r["given"], r["best"], r["odds"], 1 / (1 + abs(r["odds"]))) for r in rows]


@pytest.mark.parametrize(("version", "impossible"), [("1.1", 0.0), ("2.0", 0.4)])
def test_thousand_random_predictions_score_as_published(version, impossible):
    rows = random_rows(1000, seed=7, impossible=impossible)
    scores = squad_scores(as_questions(rows), version)
    for position, name in enumerate(("exact", "f1")):
        groups = {"": rows, "hasans_": [r for r in rows if r["gold"]], "noans_": [r for r in rows if not r["gold"]]}
        for prefix, group in groups.items():
            values = [plain_scores(r["gold"] or [""], r["given"], version)[position] for r in group]
            expected = sum(values) / len(values) if values else None
            assert scores[f"qa_{prefix}{name}"] == expected


def test_best_threshold_is_the_best_of_all_thresholds():
    # The published search takes it that every text has a word, and calls the threshold that withholds everything 0.
    rows = random_rows(400, seed=3, impossible=0.1)
    rows = [r for r in rows if all(plain_words(text) for text in [r["best"], *r["gold"]])]
    scores = squad_scores(as_questions(rows))
    for position, name in enumerate(("exact", "f1")):
        assert scores[f"qa_best_{name}"] == pytest.approx(plain_best(rows, position), abs=1e-12)
        threshold = scores[f"qa_best_{name}_threshold"]
        values = [
            plain_scores(r["gold"] or [""], "" if r["odds"] > threshold else r["best"], "2.0")[position] for r in rows
        ]
        assert scores[f"qa_best_{name}"] == pytest.approx(sum(values) / len(values), abs=1e-12)


def test_equal_to_the_evaluation_in_transformers():
    metrics = pytest.importorskip("transformers.data.metrics.squad_metrics")
    rows = random_rows(1000, seed=11, impossible=0.3)

    class Example:
        def __init__(self, index, row):
            self.qas_id = str(index)
            self.answers = [{"text": text} for text in row["gold"]]

    examples = [Example(index, row) for index, row in enumerate(rows)]
    texts = {str(index): row["best"] for index, row in enumerate(rows)}
    odds = {str(index): row["odds"] for index, row in enumerate(rows)}
    theirs = metrics.squad_evaluate(examples, texts, odds, no_answer_probability_threshold=0.0)
    ours = squad_scores([AnsweredQuestion(r["gold"], r["best"], r["best"], r["odds"]) for r in rows])
    for name in ("exact", "f1"):
        assert 100 * ours[f"qa_best_{name}"] == pytest.approx(theirs[f"best_{name}"], rel=1e-14)
        assert ours[f"qa_best_{name}_threshold"] == theirs[f"best_{name}_thresh"]
    for text, row in zip(texts.values(), rows, strict=True):
        golds = [gold for gold in row["gold"] if metrics.normalize_answer(gold)] or [""]
        best = max(metrics.compute_f1(g, text) for g in golds), max(metrics.compute_exact(g, text) for g in golds)
        assert question_scores(row["gold"], text)[::-1] == best


@pytest.mark.parametrize(
    ("text", "expected"),
    [("The  U.S. Army!", "us army"), ("a theatre", "theatre"), ("", ""), ("An\nthe", ""), ("co-op", "coop")],
)
def test_normalization(text, expected):
    assert normalize_answer(text) == expected


def test_the_versions_differ_only_where_a_text_has_no_word():
    assert token_f1("the", "a", "1.1") == 0.0
    assert token_f1("the", "a", "2.0") == 1.0
    assert question_scores(["the", "Seine"], "", "2.0") == (0.0, 0.0)
    assert question_scores(["the", "Seine"], "", "1.1") == (1.0, 0.0)


def test_risk_coverage():
    assert risk_coverage_area([1, 1, 0], [0.9, 0.8, 0.1]) == pytest.approx((0 + 0 + 1 / 3) / 3)
    assert risk_coverage_area([0, 1, 1], [0.9, 0.8, 0.1]) == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.1, 0.5, 0.9])), min_size=1, max_size=12), st.randoms())
def test_risk_coverage_does_not_depend_on_the_order(pairs, rng):
    area = risk_coverage_area([float(s) for s, _ in pairs], [c for _, c in pairs])
    rng.shuffle(pairs)
    assert risk_coverage_area([float(s) for s, _ in pairs], [c for _, c in pairs]) == pytest.approx(area)
    assert 0.0 <= area <= 1.0


def test_nothing_asked_gives_none_and_no_division_by_zero():
    assert set(squad_scores([]).values()) == {None}
    only_impossible = [AnsweredQuestion([], "", "river", 2.0, 0.7)]
    scores = squad_scores(only_impossible)
    assert scores["qa_hasans_f1"] is None
    assert scores["qa_noans_exact"] == scores["qa_best_f1"] == 1.0
    assert best_null_threshold([0.0], only_impossible) == (1.0, 0.0)
