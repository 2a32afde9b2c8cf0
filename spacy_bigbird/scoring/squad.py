"""Exact match and F1 of extracted answers, in [0, 1], as defined by the two official SQuAD evaluations."""

import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True)
class AnsweredQuestion:
    """A question with its gold answers and its prediction.

    gold (Sequence[str]): texts of the gold answers; empty if the question has no answer.
    prediction (str): text of the predicted answer; "" for no answer.
    best_text (str): text of the best non-empty answer, regardless of the threshold.
    null_odds (float): raw score of "no answer" minus that of `best_text`, which the threshold is tuned on.
    confidence (float): confidence of the prediction, in [0, 1], which the risk-coverage curve is sorted by.
    """

    gold: Sequence[str]
    prediction: str
    best_text: str = ""
    null_odds: float = 0.0
    confidence: float = 1.0


def normalize_answer(text: str) -> str:
    """Lowercase a text, remove ASCII punctuation and the articles a, an and the, and collapse white space."""
    return " ".join(ARTICLES.sub(" ", text.lower().translate(WITHOUT_PUNCTUATION)).split())


def exact_match(gold: str, prediction: str) -> float:
    """Return 1.0 if both texts are equal after `normalize_answer`, else 0.0."""
    return float(normalize_answer(gold) == normalize_answer(prediction))


def token_f1(gold: str, prediction: str, version: str = "2.0") -> float:
    """Compute the harmonic mean of precision and recall over the words of the normalized texts.

    gold (str): a gold answer.
    prediction (str): the predicted answer.
    version (str): if a text has no words left, "2.0" returns 1 if neither text has any, else 0; "1.1" returns 0.
    RETURNS (float): F1, in [0, 1].
    """
    gold_words, predicted_words = normalize_answer(gold).split(), normalize_answer(prediction).split()
    if version == "2.0" and not (gold_words and predicted_words):
        return float(gold_words == predicted_words)
    shared = sum((Counter(gold_words) & Counter(predicted_words)).values())
    if shared == 0:
        return 0.0
    precision, recall = shared / len(predicted_words), shared / len(gold_words)
    return 2 * precision * recall / (precision + recall)


def question_scores(gold: Sequence[str], prediction: str, version: str = "2.0") -> tuple[float, float]:
    """Compute exact match and F1 of a prediction, each as the maximum over the gold answers.

    gold (Sequence[str]): gold answers. "2.0" ignores those without a word; if none is left, "" is used.
    prediction (str): the predicted answer.
    version (str): "2.0" or "1.1".
    RETURNS (tuple[float, float]): exact match and F1, in [0, 1].
    """
    answers = [text for text in gold if version == "1.1" or normalize_answer(text)] or [""]
    return (
        max(exact_match(text, prediction) for text in answers),
        max(token_f1(text, prediction, version) for text in answers),
    )


def best_null_threshold(scores: Sequence[float], questions: Sequence[AnsweredQuestion]) -> tuple[float, float]:
    """Find the threshold on `null_odds` that yields the best mean score.

    scores (Sequence[float]): score of `best_text` for each question.
    questions (Sequence[AnsweredQuestion]): the questions, in the same order; at least one.
    RETURNS (tuple[float, float]): the best mean score, in [0, 1], and the threshold, above which "no answer" is
        predicted.
    """
    current = best = float(sum(not question.gold for question in questions))
    threshold = 0.0
    for index in sorted(range(len(questions)), key=lambda index: questions[index].null_odds):
        question = questions[index]
        current += scores[index] if question.gold else -float(bool(question.best_text))
        if current > best:
            best, threshold = current, question.null_odds
    return best / len(questions), threshold


def risk_coverage_area(scores: Sequence[float], confidences: Sequence[float]) -> float:
    """Compute the area under the risk-coverage curve: mean error of the k most confident predictions, averaged over k.

    Questions with equal confidence share their mean error, so the area does not depend on the order of the questions.

    scores (Sequence[float]): score of each prediction, in [0, 1]; at least one.
    confidences (Sequence[float]): confidence of each prediction.
    RETURNS (float): the area, in [0, 1]; lower is better.
    """
    groups: dict[float, list[float]] = {}
    for score, confidence in zip(scores, confidences, strict=True):
        groups.setdefault(confidence, []).append(1.0 - score)
    area = risk = 0.0
    covered = 0
    for confidence in sorted(groups, reverse=True):
        error = sum(groups[confidence]) / len(groups[confidence])
        for _ in groups[confidence]:
            risk, covered = risk + error, covered + 1
            area += risk / covered
    return area / covered


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def squad_scores(questions: Sequence[AnsweredQuestion], version: str = "2.0") -> dict[str, float | None]:
    """Compute all scores of a set of answered questions.

    questions (Sequence[AnsweredQuestion]): the questions with gold answers and predictions.
    version (str): "1.1" or "2.0", which defines F1 for texts without a word.
    RETURNS (dict[str, float | None]): `qa_exact` and `qa_f1`, the same for questions with (`qa_hasans_*`) and without
        (`qa_noans_*`) an answer, `qa_best_exact` and `qa_best_f1` with the best threshold on the null odds
        (`qa_best_exact_threshold`, `qa_best_f1_threshold`), and `qa_risk_coverage`, the area under the risk-coverage
        curve of 1 - exact match. All except the thresholds are in [0, 1], or None if there are no such questions.
    """
    pairs = [question_scores(question.gold, question.prediction, version) for question in questions]
    answered = [bool(question.gold) for question in questions]
    scores: dict[str, float | None] = {"qa_risk_coverage": None}
    for position, name in enumerate(("exact", "f1")):
        values = [pair[position] for pair in pairs]
        scores[f"qa_{name}"] = _mean(values)
        scores[f"qa_hasans_{name}"] = _mean([v for v, has in zip(values, answered, strict=True) if has])
        scores[f"qa_noans_{name}"] = _mean([v for v, has in zip(values, answered, strict=True) if not has])
        scores[f"qa_best_{name}"] = scores[f"qa_best_{name}_threshold"] = None
        if questions:
            raw = [question_scores(question.gold, question.best_text, version)[position] for question in questions]
            scores[f"qa_best_{name}"], scores[f"qa_best_{name}_threshold"] = best_null_threshold(raw, questions)
    if questions:
        exact = [pair[0] for pair in pairs]
        scores["qa_risk_coverage"] = risk_coverage_area(exact, [question.confidence for question in questions])
    return scores
