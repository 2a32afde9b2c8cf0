"""What a Doc carries for question answering: `doc._.questions`, set before the component runs, and `doc._.answers`."""

from collections.abc import Iterable, Sequence
from typing import Any

from spacy.tokens import Doc

from ..errors import Errors

GOLD_KEYS = {"answers", "is_impossible", "plausible_answers"}
# Where spaCy keeps the value of an extension attribute, so that bytes and DocBin carry the answers with the Doc.
ANSWERS_KEY: Any = ("._.", "answers", None, None)


class Answer(dict):
    """The answer to one question: a dictionary that JSON and DocBin can store, its keys readable as attributes.

    question (str): the question.
    text (str): the answer, exactly `doc.text[start_char:end_char]`; "" for no answer.
    start_char (int): where it begins, 0 for no answer. Unit: characters.
    end_char (int): where it ends, 0 for no answer. Unit: characters.
    score (float): its probability among the kept alternatives and "no answer", in [0, 1].
    logit (float): its raw score, start logit + end logit.
    null_logit (float): the raw score of "no answer".
    alternatives (list[dict]): everything that was kept, best first, "no answer" included: text, start_char, end_char,
        score, logit.
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def best_text(self) -> str:
        """The best alternative that is not empty, whatever the threshold decided."""
        return next((row["text"] for row in self["alternatives"] if row["text"]), "")

    @property
    def null_odds(self) -> float:
        """Raw score of "no answer" minus that of the best other answer: no answer is given above the threshold."""
        best = next((row["logit"] for row in self["alternatives"] if row["text"]), float("-inf"))
        return self["null_logit"] - best


def _get_answers(doc: Doc) -> list[Answer] | None:
    answers = doc.user_data.get(ANSWERS_KEY)
    return None if answers is None else [Answer(answer) for answer in answers]


def _set_answers(doc: Doc, answers: Iterable[dict] | None) -> None:
    doc.user_data[ANSWERS_KEY] = None if answers is None else [dict(answer) for answer in answers]


def install_question_extensions() -> None:
    """Register what is asked (`doc._.questions`, `.choices`, `.masks`) and answered, where it is not registered yet."""
    for name in ("questions", "choices", "choice_answers", "masks", "mask_predictions"):
        if not Doc.has_extension(name):
            Doc.set_extension(name, default=None)
    if not Doc.has_extension("answers"):
        Doc.set_extension("answers", getter=_get_answers, setter=_set_answers)


def as_question(value: Any) -> dict[str, Any]:
    """One question as a dictionary with its text under "question".

    value (Any): a string or a dictionary shaped like a SQuAD question; its answers may be columns as in `datasets`.
    RETURNS (dict[str, Any]): the question.
    RAISES ValueError: where it is neither.
    """
    if isinstance(value, str):
        return {"question": value}
    if isinstance(value, dict) and isinstance(value.get("question"), str):
        answers = value.get("answers")
        if isinstance(answers, dict):
            return {**value, "answers": _as_rows(answers, value)}
        if answers is None or all(isinstance(a, dict) and isinstance(a.get("text"), str) for a in answers):
            return value
    raise ValueError(Errors.BB240.format(value=value))


def _as_rows(answers: dict[str, Any], question: dict[str, Any]) -> list[dict[str, Any]]:
    """SQuAD's list of answers, of the columns that Hugging Face's `datasets` makes of it."""
    texts, starts = answers.get("text"), answers.get("answer_start")
    if not isinstance(texts, Sequence) or not isinstance(starts, Sequence) or len(texts) != len(starts):
        raise ValueError(Errors.BB240.format(value=question))
    return [{"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=True)]


def read_questions(doc: Doc) -> list[dict[str, Any]]:
    """The questions of a document, each as a dictionary; an empty list where it has none."""
    install_question_extensions()
    return as_questions(doc._.questions)


def as_questions(values: Any) -> list[dict[str, Any]]:
    """A list of questions, each as a dictionary. None counts as an empty list, one string alone is an error."""
    if values is None:
        return []
    if not isinstance(values, (list, tuple)):
        raise ValueError(Errors.BB240.format(value=values))
    return [as_question(value) for value in values]


def question_key(question: dict[str, Any]) -> str:
    """What a question is found by: its id, or its text where it has none."""
    return str(question["question"] if question.get("id") is None else question["id"])


def without_gold(questions: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The questions as they may be shown to a component."""
    return [{key: value for key, value in question.items() if key not in GOLD_KEYS} for question in questions]


def has_gold(question: dict[str, Any]) -> bool:
    """Whether the question says what is right, an answer or that there is none."""
    return question.get("answers") is not None or bool(question.get("is_impossible"))


def gold_texts(question: dict[str, Any]) -> list[str]:
    """Texts of the gold answers; none where the question is impossible."""
    return [] if question.get("is_impossible") else [answer["text"] for answer in question.get("answers") or ()]


def gold_spans(question: dict[str, Any], text: str) -> tuple[list[tuple[int, int]], int]:
    """The stretches of text that answer a question.

    question (dict[str, Any]): a question with gold.
    text (str): the document.
    RETURNS (tuple[list[tuple[int, int]], int]): first and last character (exclusive) of each answer whose offset
        matches its text, and how many do not match. Both empty for a question that has no answer.
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
