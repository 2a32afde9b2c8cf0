"""Corpus reader for JSON lines with texts, entities, spans, labels and questions that tolerates broken records."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import filter_spans

from ..annotations.questions import as_whole_number
from ..errors.closest import did_you_mean
from .broken_records import Problems
from .kinds_of_files import find_files, given_path
from .usable_questions import check_answers, is_unicode, set_questions, usable_questions

ENDING = ".jsonl"
KEYS = ("text", "entities", "spans", "cats", "questions")
SPANS_KEY = "sc"
# These, and names that begin with an underscore, are for the users' own data.
OWN_KEYS = ("id", "meta")


def make_jsonl_corpus(path: Path | None, strict: bool = False, limit: int = 0) -> "JsonlCorpus":
    """Create a reader of JSON lines.

    Registered as `spacy-bigbird.JsonlCorpus.v1`, for `[corpora.train]` and `[corpora.dev]`.

    path (Path | None): a file with a JSON object on each line, or a folder of .jsonl files. `text` (str) is required;
        `entities` is a list of [start character, end character (exclusive), label]; `spans` a list like it, for
        `doc.spans["sc"]`, or an object that maps keys of `doc.spans` to such lists; `cats` an object that maps labels
        to numbers; and `questions` a list as in `doc._.questions`. `id`, `meta` and keys that begin with an underscore
        are for other data; any other key is reported, since it may hold annotation in the form of another tool.
    strict (bool): whether to raise an error for unusable data, instead of reporting it and leaving it out.
    limit (int): maximum number of examples; 0 for no limit.
    RETURNS (JsonlCorpus): the reader.
    RAISES ValueError: `path` is None.
    """
    return JsonlCorpus(path, strict=strict, limit=limit)


class JsonlCorpus:
    """Reads JSON lines and yields one example per line. Unusable data is left out, counted and reported.

    See `make_jsonl_corpus`.
    """

    def __init__(self, path: Path | str | None, *, strict: bool = False, limit: int = 0) -> None:
        self.path = given_path(path, "JsonlCorpus")
        self.strict = strict
        self.limit = limit
        self._reported: str | None = None

    def __call__(self, nlp: Language) -> Iterator[Example]:
        """Read the files once.

        nlp (Language): the pipeline, which tokenizes the texts. Labels that its components do not have are reported.
        YIELDS (Example): examples with the annotation on the reference.
        RAISES ValueError: there is no file, or `strict` is set and some data is unusable.
        """
        problems = Problems(self.path, self.strict)
        labels = {attribute: known_labels(nlp, attribute) for attribute in ("doc.ents", "doc.spans", "doc.cats")}
        number = 0
        for file in find_files(self.path, ENDING, "JsonlCorpus"):
            # Read as bytes, so that a line in another encoding does not stop the reader.
            with file.open("rb") as lines:
                for position, line in enumerate(lines, start=1):
                    if self.limit and number >= self.limit:
                        break
                    if not line.strip():
                        continue
                    problems.seen("records")
                    example = _example(nlp, line, f"{file.name}, line {position}", labels, problems)
                    if example is not None:
                        number += 1
                        yield example
        # The same report is not repeated in every epoch.
        if str(problems) != self._reported:
            self._reported = str(problems)
            problems.report()


def known_labels(nlp: Language, attribute: str) -> set[str] | None:
    """Get the labels of the components that assign an attribute.

    nlp (Language): the pipeline.
    attribute (str): the attribute, such as "doc.ents".
    RETURNS (set[str] | None): the labels; None if there are none yet.
    """
    found: set[str] = set()
    for name, component in nlp.components:
        # Other components than those that learn spans, which have a key, also write to `doc.spans`.
        if attribute in nlp.get_pipe_meta(name).assigns and (attribute != "doc.spans" or hasattr(component, "key")):
            found |= set(getattr(component, "labels", ()))
    return found or None


def _example(
    nlp: Language, line: bytes, where: str, labels: dict[str, set[str] | None], problems: Problems
) -> Example | None:
    try:
        record = json.loads(line)
        text = record["text"]
    except (ValueError, KeyError, TypeError):
        record, text = {}, None
    if not isinstance(text, str):
        problems.add("records", "are not a JSON object with a string `text`", where, line.decode("utf8", "replace"))
        return None
    if not is_unicode(text):
        problems.add("records", "have a text with half a character (a lone surrogate)", where, repr(text))
        return None
    if len(text) > nlp.max_length:
        problems.add("records", f"have more than nlp.max_length = {nlp.max_length:,} characters", where, text)
        return None
    for key in record:
        if key not in (*KEYS, *OWN_KEYS) and not key.startswith("_"):
            hint = did_you_mean([key], KEYS)
            problems.add("records", f"have a key that is not read, {key!r}.{hint}", where, record[key])
    doc = nlp.make_doc(text)
    example = Example(doc.copy(), doc)
    if "entities" in record:
        set_entities(doc, record["entities"], where, labels["doc.ents"], problems)
    if "spans" in record:
        set_spans(doc, record["spans"], where, labels["doc.spans"], problems)
    if "cats" in record:
        doc.cats = _cats(record["cats"], where, labels["doc.cats"], problems)
    if "questions" in record:
        listed = record["questions"] if isinstance(record["questions"], list) else [record["questions"]]
        questions = usable_questions(listed, where, problems)
        set_questions(example, check_answers(questions, text, where, problems))
    return example


def is_finite(value: Any) -> bool:
    """Check if a value from JSON is a finite number that a float can hold.

    value (Any): the value.
    RETURNS (bool): whether it is.
    """
    try:
        return isinstance(value, int | float) and math.isfinite(value)
    except OverflowError:
        return False


def _aligned_spans(
    doc: Doc, listed: Any, name: str, where: str, labels: set[str] | None, problems: Problems
) -> tuple[list[Span], list[Span]]:
    """Read a list of [start, end, label]. RETURNS: the spans, and what those touch that are not at token boundaries."""
    spans: list[Span] = []
    missing: list[Span] = []
    listed = listed if isinstance(listed, list) else [listed]
    # Joined from the tokens each time that it is asked for.
    text = doc.text
    problems.seen(name, len(listed))
    for given in listed:
        try:
            first, last, label = given
            start, end = as_whole_number(first), as_whole_number(last)
        except (TypeError, ValueError):
            start, end, label = None, None, None
        is_label = isinstance(label, str) and bool(label)
        if start is None or end is None or not is_label or not 0 <= start < end <= len(text):
            problems.add(name, "are not [start, end, label] inside the text", where, given)
            continue
        shown = [start, end, label, text[start:end]]
        span = doc.char_span(start, end, label=label)
        if span is None:
            problems.add(name, "are not at token boundaries", where, shown)
            missing += filter(None, [doc.char_span(start, end, alignment_mode="expand")])
            continue
        if labels is not None and label not in labels:
            problems.add(name, "have a label that the pipeline does not know", where, shown)
        spans.append(span)
    return spans, missing


def set_spans(doc: Doc, spans: Any, where: str, labels: set[str] | None, problems: Problems) -> None:
    """Set groups of spans, which may overlap. What cannot be used is left out and counted.

    doc (Doc): the document, modified in place.
    spans (Any): lists of [start character, end character (exclusive), label] by key of `doc.spans`, or one for "sc".
    where (str): place of the document in the corpus.
    labels (set[str] | None): the labels that the pipeline knows; None for any.
    problems (Problems): collects what is left out.
    """
    for key, listed in (spans if isinstance(spans, dict) else {SPANS_KEY: spans}).items():
        doc.spans[key] = _aligned_spans(doc, listed, "spans", where, labels, problems)[0]


def set_entities(doc: Doc, entities: Any, where: str, labels: set[str] | None, problems: Problems) -> None:
    """Set the entities of a document. What cannot be used is left out and counted.

    doc (Doc): the document, modified in place.
    entities (Any): a list of [start character, end character (exclusive), label].
    where (str): place of the document in the corpus.
    labels (set[str] | None): the labels that the pipeline knows; None for any.
    problems (Problems): collects what is left out.
    """
    spans, missing = _aligned_spans(doc, entities, "entities", where, labels, problems)
    kept = filter_spans(spans)
    for span in spans:
        if span not in kept:
            shown = [span.start_char, span.end_char, span.label_, span.text]
            problems.add("entities", "overlap longer ones", where, shown)
    # Tokens of entities that cannot be aligned are marked as missing, rather than as outside of entities.
    taken = {token.i for span in kept for token in span}
    unknown = [doc[token.i : token.i + 1] for span in missing for token in span if token.i not in taken]
    doc.set_ents(kept, missing=filter_spans(unknown), default="outside")


def _cats(cats: Any, where: str, labels: set[str] | None, problems: Problems) -> dict[str, float]:
    if not isinstance(cats, dict):
        problems.seen("cats")
        problems.add("cats", "are not an object of labels and numbers", where, cats)
        return {}
    problems.seen("cats", len(cats))
    found = {}
    for label, value in cats.items():
        if not is_finite(value):
            problems.add("cats", "are not finite numbers", where, {label: value})
            continue
        if labels is not None and label not in labels:
            problems.add("cats", "have a label that the pipeline does not know", where, label)
        found[label] = float(value)
    return found
