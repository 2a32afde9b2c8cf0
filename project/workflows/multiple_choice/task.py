"""Multiple choice: review questions of textbooks, answered from the whole section that they follow (OpenStax)."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from spacy_bigbird.annotations.questions import install_question_extensions
from spacy_bigbird.bakeoff.statistics import Counts, by_length, by_position, interval, mean

from ..library.budget import CLOCK, read_beginnings
from ..library.corpus import PARTS, read_docs, write_corpus, write_vocabulary
from ..library.measuring import beginnings, stream
from ..library.parts import plain
from ..library.sources import find
from ..library.systems import Settings
from ..library.tasks import Paths, Task
from .textbooks import Choice, Section, WordOverlap, read_openstax, words

VOCABULARY = 8000
QUARTERS = 4
COMPONENT = "bigbird_multiple_choice"
# Pieces of a window in addition to those of the document: question, option and the special pieces around them.
QUESTION = 64


def as_doc(nlp: Language, section: Section) -> Doc:
    """Convert a section. RETURNS (Doc): a document with its questions and its name."""
    install_question_extensions()
    doc = nlp.make_doc(section.text)
    doc._.choices = section.choices
    doc.user_data["name"] = section.name
    return doc


def preprocess(root: Path, settings: Settings) -> None:
    """Write the corpus. root (Path): the project's folder. settings (Settings): name the checkpoint."""
    nlp = spacy.blank("en")
    docs: dict[str, list[Doc]] = {part: [] for part in PARTS}
    split = {}
    for section in read_openstax(find("openstax", root)):
        docs[section.split].append(as_doc(nlp, section))
        split[section.name] = section.split
    corpus = Paths(root, "multiple_choice").corpus
    write_vocabulary(corpus, [doc.text for doc in docs["train"]], VOCABULARY, settings)
    asked = {f"questions to {part}": sum(len(doc._.choices) for doc in docs[part]) for part in PARTS}
    write_corpus(corpus, docs, split, asked)


@spacy.registry.readers("project.choices.v1")
def make_choices(
    path: str,
    tokenizer: str | None = None,
    first_pieces: int | None = None,
    limit: int = 0,
    is_dev: bool = False,
) -> Callable[[Language], Iterator[Example]]:
    """Create a reader of documents with multiple choice, or of their beginnings, for `[corpora.train]` and
    `[corpora.dev]`.

    path (str): a .spacy file.
    tokenizer (str | None): spiece.model or checkpoint, needed for `first_pieces`.
    first_pieces (int | None): yield only the beginning of each document. Unit: pieces.
    limit (int): maximum number of documents; 0 for all.
    is_dev (bool): whether the clock of the budget is paused from when this corpus is read until the next batch.
    """
    return read_beginnings(
        path, tokenizer, first_pieces, limit, is_dev, lambda doc, end: as_example(part_of(doc, 0, end, doc._.choices))
    )


@spacy.registry.batchers("project.choice_extracts.v1")
def make_choice_batcher(
    questions: int, phases: Sequence[dict[str, float]]
) -> Callable[[Iterable[Example]], Iterator[list[Example]]]:
    """Create a batcher of questions, each with the part of its document that shares the most words with it, for
    `[training.batcher.batcher]`.

    questions (int): number of questions per batch.
    phases (Sequence[dict[str, float]]): for each phase `until`, the share of the budget at which it ends (default 1),
        and `tokens`, the length of the parts. A shorter document is used whole.
    """

    def batches(examples: Iterable[Example]) -> Iterator[list[Example]]:
        if not CLOCK.seconds:
            # `spacy bigbird check` needs the documents themselves.
            yield from ([example] for example in examples)
            return
        docs = [example.reference for example in examples]
        asked = [(doc, choice) for doc in docs for choice in doc._.choices]
        stream_of_questions = iter(random.sample(asked, len(asked)))
        while chosen := list(islice(stream_of_questions, questions)):
            size = int(next(phase for phase in phases if CLOCK.share <= phase.get("until", 1.0))["tokens"])
            yield [as_example(nearest_part(doc, choice, size)) for doc, choice in chosen]

    return batches


def nearest_part(doc: Doc, choice: Choice, size: int) -> Doc:
    """Find the part of a document that shares the most words with a question and all of its options.

    doc (Doc): the document.
    choice (Choice): the question with its options.
    size (int): length of the part. Unit: tokens.
    RETURNS (Doc): the part, with the question.
    """
    wanted = set(words(" ".join([choice["question"], *choice["options"]])))
    lowered = [token.lower_ for token in doc]
    numbers = {word: lowered.count(word) for word in wanted}
    # Words that occur everywhere say little about the place.
    weights = np.array([1 / numbers[word] if word in wanted else 0.0 for word in lowered])
    sums = np.concatenate([[0.0], np.cumsum(weights)])
    start = int((sums[size:] - sums[:-size]).argmax()) if len(doc) > size else 0
    return part_of(doc, start, start + size, [choice])


def part_of(doc: Doc, start: int, end: int, choices: Sequence[Choice]) -> Doc:
    """RETURNS (Doc): a range of a document's tokens, with questions."""
    span = doc[start : min(end, len(doc))]
    part = plain(span)
    part._.choices = list(choices)
    return part


def as_example(doc: Doc) -> Example:
    """RETURNS (Example): an example with the questions on both documents, and the answers on the reference only."""
    predicted = part_of(doc, 0, len(doc), doc._.choices)
    _prepare(predicted, doc)
    return Example(predicted, doc)


def _prepare(plain: Doc, doc: Doc) -> None:
    plain._.choices = [{key: value for key, value in one.items() if key != "answer"} for one in doc._.choices]


def measure(nlp: Language, corpus: Path, first_pieces: int | None) -> dict[str, Any]:
    """Compute the scores on the test documents, and those of word overlap and chance; see `tasks.Task`."""
    references = read_docs(corpus / "test.spacy")
    parts = beginnings(references, corpus / "spiece.model", first_pieces)
    install_question_extensions()
    for part, reference in zip(parts, references, strict=True):
        part._.choices = reference._.choices
    found, facts = stream(nlp, parts, prepare=_prepare)
    overlap = WordOverlap(doc.text for doc in read_docs(corpus / "train.spacy"))
    counts: dict[str, Counts] = {name: np.zeros((len(found), 2)) for name in ("model", "word overlap", "chance")}
    quarters = np.zeros((len(found), QUARTERS, 2))
    for number, (reference, doc) in enumerate(zip(references, found, strict=True)):
        for choice, answer in zip(reference._.choices, doc._.choice_answers, strict=True):
            right = float(answer["index"] == choice["answer"])
            counts["model"][number] += (right, 1)
            counts["word overlap"][number] += (overlap.points(reference.text, choice), 1)
            counts["chance"][number] += (1 / len(choice["options"]), 1)
            _, place = overlap.scores(reference.text, choice)[choice["answer"]]
            quarters[number, min(QUARTERS - 1, int(place * QUARTERS))] += (right, 1)
    of_documents = counts.pop("model")
    return {
        "documents": len(references),
        "questions": int(of_documents[:, 1].sum()),
        "scores": {"choice_accuracy": interval(of_documents, mean)},
        "baselines": {name: {**interval(one, mean), "counts": one.tolist()} for name, one in counts.items()},
        "by_length": by_length(of_documents, [len(doc) for doc in references], mean),
        "by_position": by_position(quarters, mean),
        "counts": of_documents.tolist(),
        **facts,
    }


TASKS = {
    "multiple_choice": Task(
        name="multiple_choice",
        title="Multiple choice about sections of textbooks (OpenStax)",
        metric="choice_accuracy",
        metric_name="accuracy",
        configs={"": "multiple_choice.cfg"},
        preprocess=preprocess,
        measure=measure,
        encoder=COMPONENT,
        knows_neighbours=True,
        question=QUESTION,
        systems=("bigbird", "strided", "truncated"),
        about="680 sections with 2,229 questions. What such questions ask cannot be learned from random weights: the "
        "table only shows that training runs (whether the losses fall is in `results/`). By position: where the "
        "section shares the most words with the question and the right option. spaCy's tok2vec has no component for "
        "multiple choice.",
    )
}
