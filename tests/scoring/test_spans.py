"""Curves of precision and recall against an independent implementation of CUAD's metric, and overlap in tokens."""

import numpy as np
import pytest
import spacy
from spacy.tokens import Span, SpanGroup
from spacy.training import Example

from spacy_bigbird.scoring.spans import Curve, Match, Outcomes, make_spancat_scorer, overlap

NLP = spacy.blank("en")


def example(text, gold, predicted):
    """Spans are (first token, end, label), predicted ones with a probability."""
    one = Example(NLP.make_doc(text), NLP.make_doc(text))
    one.reference.spans["sc"] = [Span(one.reference, s, e, label) for s, e, label in gold]
    spans = [Span(one.predicted, s, e, label) for s, e, label, _ in predicted]
    scores = np.asarray([span[3] for span in predicted])
    one.predicted.spans["sc"] = SpanGroup(one.predicted, name="sc", spans=spans, attrs={"scores": scores})
    return one


def cuad(examples, label=None):
    """What CUAD's authors compute, told from their paper and with plain loops: at each threshold, an annotated text is
    found if any prediction shares half of the words, and a prediction is wrong if it shares them with no annotation."""

    def words(text):
        return set("".join(c for c in text.lower().replace("/", " ") if c not in ".,;:").split(" "))

    def same(gold, other):
        both = words(gold.text) & words(other.text)
        enough = len(both) / len(words(gold.text) | words(other.text)) >= 0.5
        return enough or (gold.label_ == "Parties" and gold.text in other.text)

    thresholds = sorted({s for e in examples for s in e.predicted.spans["sc"].attrs["scores"].tolist()}, reverse=True)
    points = [(0.0, 1.0)]
    for threshold in thresholds:
        found = missed = wrong = 0
        for one in examples:
            group = one.predicted.spans["sc"]
            given = [s for s, p in zip(group, group.attrs["scores"], strict=True) if p >= threshold]
            for gold in one.reference.spans["sc"]:
                if label in (None, gold.label_):
                    is_found = any(s.label_ == gold.label_ and same(gold, s) for s in given)
                    found, missed = found + is_found, missed + (not is_found)
            for span in given:
                if label in (None, span.label_):
                    golds = [g for g in one.reference.spans["sc"] if g.label_ == span.label_]
                    wrong += not any(same(gold, span) for gold in golds)
        if found + wrong:
            points.append((found / max(1, found + missed), found / (found + wrong)))
    best = [max(p for _, p in points[i:]) for i in range(len(points))]
    recalls = [recall for recall, _ in points]
    area = sum((recalls[i] - recalls[i - 1]) * (best[i] + best[i - 1]) / 2 for i in range(1, len(points)))
    reached = [p for recall, p in zip(recalls, best, strict=True) if recall >= 0.8]
    return area, reached[0] if reached else 0.0


def random_examples(rng, count=6):
    vocabulary = ["the", "Seller", "shall,", "pay/send", "all", "fees;", "to", "Buyer.", "within", "days"]
    made = []
    for _ in range(count):
        text = " ".join(rng.choice(vocabulary, 40))
        length = len(NLP.make_doc(text))

        def spans(number, length=length):
            for _ in range(number):
                start = int(rng.integers(0, length - 8))
                yield start, start + int(rng.integers(1, 8)), str(rng.choice(["Parties", "Term", "Law"]))

        gold = list(spans(5))
        near = [(s, min(length, e + int(rng.integers(0, 2))), label) for s, e, label in gold]
        # Probabilities with one digit, so that there are ties.
        predicted = [(*span, float(rng.integers(1, 10)) / 10) for span in [*near, *spans(8)]]
        made.append(example(text, gold, predicted))
    return made


@pytest.mark.parametrize("seed", range(4))
def test_the_curve_is_that_of_cuad_s_authors(seed):
    examples = random_examples(np.random.default_rng(seed))
    score = make_spancat_scorer(by_words=True, contained=["Parties"])
    result = score(examples, spans_key="sc", min_overlap=0.5)
    area, precision = cuad(examples)
    assert 0.1 < area < 1.0
    assert result["spans_sc_aupr"] == pytest.approx(area) and result["spans_sc_p80r"] == pytest.approx(precision)
    for label, values in result["spans_sc_curve_per_type"].items():
        assert (values["aupr"], values["p80r"]) == pytest.approx(cuad(examples, label))


def test_overlap_in_tokens_and_equal_spans():
    assert overlap((0, 4), (2, 6)) == pytest.approx(1 / 3) and overlap((0, 4), (4, 6)) == 0.0
    text = "a b c d e f g h"
    one = example(text, [(0, 4, "A"), (5, 8, "A")], [(0, 5, "A", 0.9), (5, 8, "A", 0.8), (0, 4, "B", 0.7)])
    exact = make_spancat_scorer()([one], spans_key="sc")
    assert exact["spans_sc_p"] == pytest.approx(1 / 3) and exact["spans_sc_r"] == 0.5
    assert exact["spans_sc_curve_per_type"]["A"] == {"aupr": 0.25, "p80r": 0.0, "annotated": 2}
    loose = make_spancat_scorer()([one], spans_key="sc", min_overlap=0.75)
    assert loose["spans_sc_curve_per_type"]["A"] == {"aupr": 1.0, "p80r": 1.0, "annotated": 2}
    assert [row["accuracy"] for row in loose["spans_sc_reliability"]] == [0.0, 1.0, 1.0]


def test_the_same_text_elsewhere_counts_by_words_only():
    one = example("Acme sells to Acme", [(0, 1, "Parties")], [(3, 4, "Parties", 0.9)])
    gold, predicted = list(one.reference.spans["sc"]), list(one.predicted.spans["sc"])
    assert not Match(0.5).table(gold, predicted).any() and Match(0.5, by_words=True).table(gold, predicted).all()
    longer = [one.predicted[0:4]]
    assert not Match(0.6, True).table(gold, longer).any() and Match(0.6, True, ("Parties",)).table(gold, longer).all()
    assert Match().table([], predicted).shape == (0, 1)


def test_documents_without_annotation_or_predictions():
    score = make_spancat_scorer()
    unknown = Example(NLP.make_doc("a b"), NLP.make_doc("a b"))
    assert score([unknown], spans_key="sc")["spans_sc_f"] is None
    silent = example("a b", [(0, 1, "A")], [])
    result = score([silent, unknown], spans_key="sc")
    assert (result["spans_sc_f"], result["spans_sc_aupr"], result["spans_sc_ece"]) == (0.0, 0.0, None)
    candidates = example("a b", [(0, 1, "A")], [(0, 1, "A", 0.2)])
    candidates.predicted.spans["all"] = candidates.predicted.spans.pop("sc")
    candidates.predicted.spans["sc"] = []
    result = score([candidates], spans_key="sc", candidates_key="all")
    assert (result["spans_sc_f"], result["spans_sc_aupr"]) == (0.0, 1.0)


def test_the_best_threshold_is_halfway_to_the_next():
    curve = Curve.of(Outcomes(best=[0.9, 0.8, -np.inf], wrong=[0.4, 0.4, 0.1]))
    assert curve.best_threshold() == pytest.approx(0.6)
    assert Curve.of(Outcomes(best=[0.5], wrong=[0.5])).best_threshold() == 0.25
    assert curve.recall.tolist() == pytest.approx([0, 1 / 3, 2 / 3, 2 / 3, 2 / 3])
    assert curve.precision.tolist() == pytest.approx([1, 1, 1, 0.5, 0.4])
