"""The Doc attribute for multiple choice: `doc._.choices`."""

from typing import Any

from spacy.tokens import Doc

from ..corpora.broken_records import Problems
from ..errors import Errors
from .questions import as_whole_number, install_question_extensions


def read_choices(doc: Doc) -> list[dict[str, Any]]:
    """Get the multiple-choice questions of a document with their options.

    doc (Doc): a document whose `doc._.choices` holds questions or None.
    RETURNS (list[dict[str, Any]]): the questions.
    RAISES ValueError: the attribute holds something else.
    """
    choices = doc._.choices if doc._.choices is not None else ()
    if not isinstance(choices, (list, tuple)):
        raise ValueError(Errors.BB244.format(value=choices))
    for choice in choices:
        if not _is_choice(choice):
            raise ValueError(Errors.BB244.format(value=choice))
    return [_with_whole_answer(choice) for choice in choices]


def _with_whole_answer(choice: dict[str, Any]) -> dict[str, Any]:
    answer = as_whole_number(choice.get("answer"))
    return choice if answer is None else {**choice, "answer": answer}


def choice_texts(choice: dict[str, Any]) -> list[str]:
    """Get the texts that are paired with the document, one for each option.

    choice (dict[str, Any]): a question with options.
    RETURNS (list[str]): the question followed by the option, for each option.
    """
    return [f"{choice['question']} {option}" for option in choice["options"]]


def choices_with_gold(doc: Doc) -> list[dict[str, Any]]:
    """Get the multiple-choice questions that state which option is correct.

    doc (Doc): a document whose `doc._.choices` holds questions or None.
    RETURNS (list[dict[str, Any]]): the questions.
    RAISES ValueError: the attribute holds something else, or an answer is not the index of an option.
    """
    found = [choice for choice in read_choices(doc) if choice.get("answer") is not None]
    for choice in found:
        if not _has_its_answer(choice):
            raise ValueError(Errors.BB244.format(value=choice))
    return found


def drop_unusable_choices(doc: Doc, where: str, problems: Problems) -> None:
    """Remove choices that no component can use.

    doc (Doc): the document, modified in place.
    where (str): its place in the corpus.
    problems (Problems): collects what is wrong.
    """
    install_question_extensions()
    if doc._.choices is not None:
        kept = []
        for choice in doc._.choices if isinstance(doc._.choices, (list, tuple)) else [doc._.choices]:
            problems.seen("choices")
            if not _is_choice(choice):
                problems.add("choices", "have no question or no options", where, choice)
            elif not _has_its_answer(choice):
                problems.add("choices", "have an answer that is not the number of an option", where, choice)
            else:
                kept.append(_with_whole_answer(choice))
        doc._.choices = kept


def _is_choice(choice: Any) -> bool:
    options = choice.get("options") if isinstance(choice, dict) else None
    return isinstance(options, (list, tuple)) and all(
        isinstance(text, str) for text in (choice.get("question"), *options)
    )


def _has_its_answer(choice: dict[str, Any]) -> bool:
    return choice.get("answer") is None or as_whole_number(choice["answer"]) in range(len(choice["options"]))
