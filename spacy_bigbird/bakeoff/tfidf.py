"""TF-IDF of words and pairs of words, and a logistic regression: what every classifier has to beat."""

import importlib.util
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from spacy.tokens import Doc

from ..errors import Errors
from .counting import Task, count

# The regularization with the best score on the development documents is used.
STRENGTHS = (1.0, 10.0, 100.0)
MOST_FEATURES, FEWEST_DOCUMENTS, MAX_ITERATIONS = 100_000, 2, 300


def check_available(others: Sequence[str]) -> None:
    """Check that scikit-learn is installed. RAISES ModuleNotFoundError: it is not."""
    if importlib.util.find_spec("sklearn") is None:
        raise ModuleNotFoundError(Errors.BB754.format(others=",".join(others)))


def label(task: Task, train: Sequence[Doc], dev: Sequence[Doc], test: Sequence[Doc]) -> tuple[list[Doc], float]:
    """Train on documents, and label others.

    task (Task): what is scored.
    train, dev, test (Sequence[Doc]): documents with gold `cats`.
    RETURNS (tuple[list[Doc], float]): copies of the test documents with predicted `cats`, and the score on the
        development documents.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    labels = sorted({name for doc in train for name in doc.cats})
    gold = np.array([[doc.cats.get(name, 0.0) >= 0.5 for name in labels] for doc in train], dtype=int)
    terms = TfidfVectorizer(
        ngram_range=(1, 2), min_df=FEWEST_DOCUMENTS, max_features=MOST_FEATURES, sublinear_tf=True, dtype=np.float32
    )
    features, dev_features = terms.fit_transform([doc.text for doc in train]), terms.transform([d.text for d in dev])
    best_score, best = -1.0, None
    for strength in STRENGTHS:
        model: Any = LogisticRegression(C=strength, max_iter=MAX_ITERATIONS)
        if task.is_exclusive:
            model.fit(features, gold.argmax(1))
        else:
            model = OneVsRestClassifier(model)
            with warnings.catch_warnings():
                # A label that all or no documents have is always or never predicted.
                warnings.filterwarnings("ignore", "Label .* is present in all", UserWarning)
                warnings.filterwarnings("ignore", "Label not .* is present in all", UserWarning)
                model.fit(features, gold)
        score = _score(task, dev, _labelled(dev, _probabilities(model, dev_features, len(labels)), labels))
        if score > best_score:
            best_score, best = score, model
    found = _probabilities(best, terms.transform([doc.text for doc in test]), len(labels))
    return _labelled(test, found, labels), best_score


def _probabilities(model: Any, features: Any, count: int) -> np.ndarray:
    """RETURNS (ndarray): probability of each label. Shape: (documents, labels)."""
    result = np.zeros((features.shape[0], count))
    result[:, model.classes_] = model.predict_proba(features)
    return result


def _labelled(docs: Sequence[Doc], scores: np.ndarray, labels: list[str]) -> list[Doc]:
    result = []
    for doc, row in zip(docs, scores, strict=True):
        copied = doc.copy()
        copied.cats = dict(zip(labels, row.tolist(), strict=True))
        result.append(copied)
    return result


def _score(task: Task, gold: Sequence[Doc], found: Sequence[Doc]) -> float:
    return float(task.score(count(task, gold, found, lambda name: 0.5).sum(0)))
