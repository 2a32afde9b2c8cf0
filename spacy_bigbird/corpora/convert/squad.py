"""SQuAD's JSON: articles with paragraphs, questions and answers."""

from collections.abc import Iterator
from pathlib import Path

from ...errors import Errors
from ..broken_records import Problems
from ..usable_questions import usable_questions
from .record import Format, Record, Sample, json_objects, text_of


def recognises(sample: Sample) -> bool:
    """Whether it is SQuAD's: `data` with `paragraphs`."""
    data = sample.first.get("data") if isinstance(sample.first, dict) else None
    return isinstance(data, list) and bool(data) and isinstance(data[0], dict) and "paragraphs" in data[0]


def read(path: Path, problems: Problems) -> Iterator[Record]:
    """Read paragraphs with their questions. Arguments and result as in `Format.read`."""
    for where, content in json_objects(path, problems):
        try:
            for number, article in enumerate(content["data"]):
                place = f"{where}, article {number}"
                for paragraph in article["paragraphs"]:
                    context = text_of(paragraph, place, problems, "context")
                    if context is not None:
                        questions = usable_questions(paragraph["qas"], place, problems)
                        yield Record(context, place, questions=questions, source=str(article.get("title") or place))
        except (KeyError, TypeError, AttributeError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise ValueError(Errors.BB507.format(path=path, name="squad", reason=reason)) from error


FORMAT = Format("squad", recognises, read)
