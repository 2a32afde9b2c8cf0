"""The Doc attributes for question answering: `doc._.questions`, set before the component runs, and `doc._.answers`."""

from collections.abc import Iterable, Sequence
from typing import Any

from spacy.tokens import Doc

from ..errors import Errors
from .registration import register

GOLD_KEYS = {"answers", "is_impossible", "plausible_answers"}
# The key of an extension attribute in `doc.user_data`, so that the answers are serialized with the Doc.
ANSWERS_KEY: Any = ("._.", "answers", None, None)


class Answer(dict):
    """The answer to a question: a dictionary that JSON and DocBin can store, with its keys available as attributes.

    id (Any): the `id` of the question, if it has one.
    question (str): the question.
    text (str): the answer, exactly `doc.text[start_char:end_char]`; "" for no answer.
    start_char (int): start of the answer; 0 for no answer. Unit: characters.
    end_char (int): end (exclusive) of the answer; 0 for no answer. Unit: characters.
    score (float): its probability among the kept alternatives and "no answer", in [0, 1].
    logit (float): its raw score, start logit + end logit.
    null_logit (float): raw score of "no answer".
    alternatives (list[dict]): the kept alternatives, best first, "no answer" included: text, start_char, end_char,
        score, logit.
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def best_text(self) -> str:
        """Text of the best non-empty alternative, regardless of the threshold; "" if there is none."""
        return next((row["text"] for row in self["alternatives"] if row["text"]), "")

    @property
    def null_odds(self) -> float:
        """Raw score of "no answer" minus that of the best other answer. Above the threshold, no answer is given."""
        best = next((row["logit"] for row in self["alternatives"] if row["text"]), float("-inf"))
        return self["null_logit"] - best


def _get_answers(doc: Doc) -> list[Answer] | None:
    answers = doc.user_data.get(ANSWERS_KEY)
    return None if answers is None else [Answer(answer) for answer in answers]


def _set_answers(doc: Doc, answers: Iterable[dict] | None) -> None:
    doc.user_data[ANSWERS_KEY] = None if answers is None else [dict(answer) for answer in answers]


def install_question_extensions() -> None:
    """Register the Doc attributes for questions, choices and masks, and for their answers, if they are missing."""
    for name in ("questions", "choices", "choice_answers", "masks", "mask_predictions"):
        register(Doc, name)
    register(Doc, "answers", getter=_get_answers, setter=_set_answers)


def as_whole_number(value: Any) -> int | None:
    """Read a whole number that another tool may have written as a decimal or as text.

    value (Any): a value from JSON, such as 20, 20.0 or "20".
    RETURNS (int | None): the number; None if it is none.
    """
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def as_question(value: Any) -> dict[str, Any]:
    """Convert a question to a dictionary with its text under "question".

    value (Any): a string, or a dictionary shaped like a SQuAD question. Its answers may be columns as in `datasets`.
    RETURNS (dict[str, Any]): the question, with whole numbers as offsets where these can be read as such.
    RAISES ValueError: the value is neither, or its answers are malformed.
    """
    if isinstance(value, str):
        return {"question": value}
    if isinstance(value, dict) and isinstance(value.get("question"), str):
        answers = value.get("answers")
        if isinstance(answers, dict):
            answers = _as_rows(answers, value)
        if answers is None:
            return value
        if all(isinstance(a, dict) and isinstance(a.get("text"), str) for a in answers):
            return {**value, "answers": [_with_whole_start(answer) for answer in answers]}
    raise ValueError(Errors.BB240.format(value=value))


def _with_whole_start(answer: dict[str, Any]) -> dict[str, Any]:
    start = as_whole_number(answer.get("answer_start"))
    return answer if start is None else {**answer, "answer_start": start}


def _as_rows(answers: dict[str, Any], question: dict[str, Any]) -> list[dict[str, Any]]:
    """Restore SQuAD's list of answers from the columns that Hugging Face's `datasets` converts it to."""
    texts, starts = answers.get("text"), answers.get("answer_start")
    if not isinstance(texts, Sequence) or not isinstance(starts, Sequence) or len(texts) != len(starts):
        raise ValueError(Errors.BB240.format(value=question))
    return [{"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=True)]


def read_questions(doc: Doc) -> list[dict[str, Any]]:
    """Get the questions of a document.

    doc (Doc): the document.
    RETURNS (list[dict[str, Any]]): the questions, each as a dictionary; empty if there are none.
    RAISES ValueError: `doc._.questions` is not a list of questions.
    """
    install_question_extensions()
    return as_questions(doc._.questions)


def as_questions(values: Any) -> list[dict[str, Any]]:
    """Convert a list of questions to dictionaries.

    values (Any): a list or tuple of questions; None counts as an empty list.
    RETURNS (list[dict[str, Any]]): the questions.
    RAISES ValueError: the value is something else, such as a single string, or contains something else.
    """
    if values is None:
        return []
    if not isinstance(values, (list, tuple)):
        raise ValueError(Errors.BB240.format(value=values))
    return [as_question(value) for value in values]


def question_key(question: dict[str, Any]) -> str:
    """Get the key that identifies a question: its id, or its text if it has no id."""
    return str(question["question"] if question.get("id") is None else question["id"])


def without_gold(questions: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Remove the gold annotation from questions, so that a component may see them."""
    return [{key: value for key, value in question.items() if key not in GOLD_KEYS} for question in questions]


def has_gold(question: dict[str, Any]) -> bool:
    """Whether a question has gold annotation: answers, or that there is none."""
    return question.get("answers") is not None or bool(question.get("is_impossible"))


def gold_texts(question: dict[str, Any]) -> list[str]:
    """Get the texts of the gold answers; empty if the question is impossible."""
    return [] if question.get("is_impossible") else [answer["text"] for answer in question.get("answers") or ()]


def gold_spans(question: dict[str, Any], text: str) -> tuple[list[tuple[int, int]], int]:
    """Get the spans of text that answer a question.

    question (dict[str, Any]): a question with gold annotation.
    text (str): text of the document.
    RETURNS (tuple[list[tuple[int, int]], int]): start and end (exclusive) of each distinct answer whose offset matches
        its text, in characters, and the number of answers that do not match. Empty and 0 if there is no answer.
    """
    if question.get("is_impossible"):
        return [], 0
    spans, mismatched = set(), 0
    for answer in question.get("answers") or ():
        start = answer.get("answer_start")
        length = len(answer["text"])
        if isinstance(start, int) and start >= 0 and length and text[start : start + length] == answer["text"]:
            spans.add((start, start + length))
        else:
            mismatched += 1
    return sorted(spans), mismatched
