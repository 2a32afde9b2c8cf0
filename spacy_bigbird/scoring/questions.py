"""Scorers of the components that answer questions."""

from collections.abc import Callable, Iterable
from typing import Any

from spacy.training import Example

from ..annotations.choices import read_choices
from ..annotations.questions import (
    Answer,
    gold_texts,
    has_gold,
    install_question_extensions,
    question_key,
    read_questions,
)
from ..errors import Errors
from .squad import AnsweredQuestion, squad_scores

Scorer = Callable[..., dict[str, Any]]


def make_span_qa_scorer(version: str = "2.0") -> Scorer:
    """Create a scorer for extractive question answering.

    Registered as `spacy-bigbird.span_qa_scorer.v1`, for `scorer` of `bigbird_span_qa`.

    version (str): "2.0" or "1.1": the SQuAD evaluation that defines F1 for texts without a word.
    RETURNS (Callable): a function that returns the scores of `squad_scores` for examples.
    RAISES ValueError: the version is neither.
    """
    if version not in ("1.1", "2.0"):
        raise ValueError(Errors.BB313.format(version=version))
    return SpanQAScorer(version)


def make_multiple_choice_scorer() -> Scorer:
    """Create a scorer for multiple choice.

    Registered as `spacy-bigbird.multiple_choice_scorer.v1`, for `scorer` of `bigbird_multiple_choice`.

    RETURNS (Callable): a function that returns `choice_accuracy`, the share of questions whose most probable option is
        correct.
    """
    return score_choices


class SpanQAScorer:
    """Compares `doc._.answers` of the predicted document with the gold answers in `doc._.questions` of the reference.

    version (str): "2.0" or "1.1", see `make_span_qa_scorer`.
    """

    def __init__(self, version: str = "2.0") -> None:
        self.version = version

    def __call__(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Score examples whose questions a component has answered.

        examples (Iterable[Example]): the examples. Questions without gold annotation are ignored.
        RETURNS (dict[str, Any]): the scores, see `squad_scores`.
        RAISES ValueError: the reference has a question that the predicted document does not answer.
        """
        install_question_extensions()
        answered = []
        for example in examples:
            answers = self._answers(example)
            for question in read_questions(example.reference):
                if not has_gold(question):
                    continue
                answer = answers.get(question_key(question))
                if answer is None:
                    raise ValueError(Errors.BB312.format(question=question["question"], text=example.text[:60]))
                gold = gold_texts(question)
                row = AnsweredQuestion(gold, answer.text, answer.best_text, answer.null_odds, answer.score)
                answered.append(row)
        return squad_scores(answered, self.version)

    def _answers(self, example: Example) -> dict[str, Answer]:
        asked = read_questions(example.predicted)
        answers = example.predicted._.answers or []
        return {question_key(question): Answer(answer) for question, answer in zip(asked, answers, strict=False)}


def score_choices(examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
    """Compare `doc._.choice_answers` of the predicted document with the `answer` in `doc._.choices` of the reference.

    examples (Iterable[Example]): the examples. Questions whose `answer` is None or missing are ignored.
    RETURNS (dict[str, Any]): `choice_accuracy`, in [0, 1]; None if no question has an `answer`.
    RAISES ValueError: the reference has a question that the predicted document does not answer.
    """
    install_question_extensions()
    right: list[bool] = []
    for example in examples:
        asked = example.predicted._.choices or ()
        answers = example.predicted._.choice_answers or ()
        given = {_choice_key(choice): answer for choice, answer in zip(asked, answers, strict=False)}
        for choice in read_choices(example.reference):
            if choice.get("answer") is not None:
                if _choice_key(choice) not in given:
                    raise ValueError(Errors.BB312.format(question=choice["question"], text=example.text[:60]))
                right.append(given[_choice_key(choice)]["index"] == choice["answer"])
    return {"choice_accuracy": sum(right) / len(right) if right else None}


def _choice_key(choice: dict[str, Any]) -> tuple[str, ...]:
    return (choice["question"], *choice["options"])
