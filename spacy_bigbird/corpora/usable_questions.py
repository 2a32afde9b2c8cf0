"""Questions of a corpus: which can be used, and where they stand on an example."""

from collections.abc import Iterable
from typing import Any

from spacy.training import Example

from ..annotations.questions import as_question, as_whole_number, gold_spans, install_question_extensions, without_gold
from .broken_records import Problems


def is_unicode(text: str) -> bool:
    """Check if a text from JSON can be encoded as UTF-8.

    text (str): the text.
    RETURNS (bool): False if it contains half of a surrogate pair.
    """
    try:
        text.encode("utf8")
    except UnicodeEncodeError:
        return False
    return True


def set_questions(example: Example, questions: list[dict[str, Any]]) -> None:
    """Set questions on both documents of an example, but their gold annotation on the reference only.

    example (Example): the example, modified in place.
    questions (list[dict[str, Any]]): questions, shaped like SQuAD's.
    """
    install_question_extensions()
    example.reference._.questions = questions
    example.predicted._.questions = without_gold(questions)


def check_answers(questions: list[dict[str, Any]], text: str, where: str, problems: Problems) -> list[dict[str, Any]]:
    """Report answers that are not at their offset. They are kept, because scoring compares answers by their text.

    questions (list[dict[str, Any]]): the questions of a document.
    text (str): text of the document.
    where (str): its place in the corpus.
    problems (Problems): collects what is wrong.
    RETURNS (list[dict[str, Any]]): the same questions.
    """
    for question in questions:
        for answer in question.get("answers") or ():
            problems.seen("answers")
            if as_whole_number(answer.get("answer_start")) is None:
                problems.add("answers", "have no answer_start that is a whole number", where, answer)
            elif gold_spans({**question, "answers": [answer]}, text)[1]:
                problems.add("answers", "are not at their answer_start", where, answer)
    return questions


def usable_questions(questions: Iterable[Any], where: str, problems: Problems) -> list[dict[str, Any]]:
    """Leave out questions that have no text, or whose answers are not in SQuAD's form.

    questions (Iterable[Any]): the questions, as in the corpus.
    where (str): their place in the corpus.
    problems (Problems): collects what is wrong.
    RETURNS (list[dict[str, Any]]): the remaining questions.
    """
    found = []
    for question in questions:
        problems.seen("questions")
        try:
            usable = as_question(question)
        except (ValueError, KeyError, TypeError):
            usable = {"question": ""}
        if not usable["question"].strip():
            problems.add("questions", "have no text, or an answer without text", where, question)
        elif "answer" in usable and usable.get("answers") is None:
            problems.add("questions", "have `answer` instead of SQuAD's `answers`", where, question)
        else:
            found.append(usable)
    return found
