"""Questions about a whole document, answered by a span of its text or not at all.

`cuad`: seven kinds of contract clauses (Hendrycks et al., NeurIPS 2021). `covid_qa`: questions that experts asked about
scientific articles (Möller et al., 2020). The converted forms contain the split of each document. The upstream forms
are in SQuAD's JSON format, and their documents are split in the same way.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import spacy
from spacy.language import Language
from spacy.tokens import Doc

from spacy_bigbird.annotations.questions import Answer, gold_texts, install_question_extensions, without_gold
from spacy_bigbird.bakeoff.statistics import Counts, by_length, by_position, interval, mean
from spacy_bigbird.scoring.squad import AnsweredQuestion, best_null_threshold, question_scores

from ..library.corpus import PARTS, read_docs, write_corpus, write_vocabulary
from ..library.measuring import beginnings, stream
from ..library.sources import find
from ..library.systems import Settings
from ..library.tasks import Paths, Task
from .articles import Article, read_covid_qa, read_cuad
from .batches import answer_places

VOCABULARY = 8000
QUARTERS = 4
COMPONENT = "bigbird_span_qa"
# Pieces of a window in addition to those of the document: a question and the special pieces around it.
QUESTION = 32
# No extract is seen twice, so there is little to overfit to.
DROPOUT = 0.1


def as_doc(nlp: Language, article: Article) -> Doc:
    """Convert an article. RETURNS (Doc): a document with its questions and its name."""
    install_question_extensions()
    nlp.max_length = max(nlp.max_length, len(article.text))
    doc = nlp.make_doc(article.text)
    doc._.questions = article.questions
    doc.user_data["name"] = article.name
    return doc


def write_articles(articles: Iterable[Article], corpus: Path, settings: Settings) -> None:
    """Write the corpus of a task. articles (Iterable[Article]): all documents. corpus (Path): the folder to write to.
    settings (Settings): name the checkpoint."""
    nlp = spacy.blank("en")
    docs: dict[str, list[Doc]] = {part: [] for part in PARTS}
    split = {}
    for article in articles:
        docs[article.split].append(as_doc(nlp, article))
        split[article.name] = article.split
    write_vocabulary(corpus, [doc.text for doc in docs["train"]], VOCABULARY, settings)
    asked = [question for part in PARTS for doc in docs[part] for question in doc._.questions]
    about = {"questions": len(asked), "with an answer": sum(not question["is_impossible"] for question in asked)}
    write_corpus(corpus, docs, split, about)


def preprocess_cuad(root: Path, settings: Settings) -> None:
    """Write the corpus of `cuad`. root (Path): the project's folder. settings (Settings): name the checkpoint."""
    write_articles(read_cuad(find("cuad", root)), Paths(root, "cuad").corpus, settings)


def preprocess_covid_qa(root: Path, settings: Settings) -> None:
    """Write the corpus of `covid_qa`. root (Path): the project's folder. settings (Settings): name the checkpoint."""
    write_articles(read_covid_qa(find("covid_qa", root)), Paths(root, "covid_qa").corpus, settings)


class Asked(NamedTuple):
    """A question with its answer.

    document (int): index of the document.
    category (str): what follows "__" in the question's id, if there is any.
    quarter (int): quarter of the document in which the first correct answer begins; -1 if there is no answer.
    row (AnsweredQuestion): gold and prediction; `prediction` is the best answer, regardless of the threshold.
    """

    document: int
    category: str
    quarter: int
    row: AnsweredQuestion


def ask(nlp: Language, references: Sequence[Doc], parts: Sequence[Doc]) -> tuple[list[Asked], dict[str, Any]]:
    """Answer the questions of documents.

    nlp (Language): the pipeline.
    references (Sequence[Doc]): documents with questions and answers.
    parts (Sequence[Doc]): the parts of them that the pipeline receives.
    RETURNS (tuple[list[Asked], dict[str, Any]]): all questions, and speed and memory.
    """
    install_question_extensions()
    questions = [reference._.questions for reference in references]
    for part, asked in zip(parts, questions, strict=True):
        part._.questions = asked
    found, facts = stream(nlp, parts, prepare=_prepare)
    rows = []
    for number, (reference, doc) in enumerate(zip(references, found, strict=True)):
        for question, answer in zip(questions[number], map(Answer, doc._.answers), strict=True):
            first = min((start for start, _ in answer_places(question)), default=None)
            quarter = -1 if first is None else first * QUARTERS // max(1, len(reference.text))
            row = AnsweredQuestion(gold_texts(question), answer.best_text, answer.best_text, answer.null_odds)
            category = question["id"].rpartition("__")[2] if "__" in question["id"] else ""
            rows.append(Asked(number, category, quarter, row))
    return rows, facts


def _prepare(plain: Doc, doc: Doc) -> None:
    plain._.questions = without_gold(doc._.questions)


def choose_threshold(asked: Sequence[Asked]) -> float:
    """RETURNS (float): the `null_threshold` with the best mean F1."""
    rows = [one.row for one in asked]
    return best_null_threshold([question_scores(row.gold, row.best_text)[1] for row in rows], rows)[1]


def points(asked: Asked, threshold: float) -> tuple[float, float]:
    """RETURNS (tuple[float, float]): exact match and F1 of a question, to which no answer is given if the null odds are
    above the threshold."""
    row = asked.row
    return question_scores(row.gold, "" if row.null_odds > threshold else row.best_text)


def count(documents: int, asked: Iterable[tuple[Asked, float]]) -> Counts:
    """RETURNS (Counts): points and number of questions of each document. Shape: (documents, 2)."""
    counts = np.zeros((documents, 2))
    for one, value in asked:
        counts[one.document] += (value, 1.0)
    return counts


def finish(nlp: Language, corpus: Path, first_pieces: int | None) -> None:
    """Choose the threshold for "no answer" on all development documents; see `tasks.Task`."""
    dev = read_docs(corpus / "dev.spacy")
    asked, _ = ask(nlp, dev, beginnings(dev, corpus / "spiece.model", first_pieces))
    nlp.get_pipe(COMPONENT).set(null_threshold=choose_threshold(asked))


def measure(nlp: Language, corpus: Path, first_pieces: int | None) -> dict[str, Any]:
    """Compute the scores on the test documents; see `tasks.Task`."""
    references = read_docs(corpus / "test.spacy")
    asked, facts = ask(nlp, references, beginnings(references, corpus / "spiece.model", first_pieces))
    threshold = float(nlp.get_pipe(COMPONENT).settings.null_threshold)
    return {**describe(asked, [len(doc) for doc in references], threshold), **facts}


def describe(asked: Sequence[Asked], lengths: Sequence[int], threshold: float) -> dict[str, Any]:
    """Compute the scores of answered questions, as in the results.

    asked (Sequence[Asked]): the questions.
    lengths (Sequence[int]): lengths of the documents. Unit: tokens.
    threshold (float): the threshold for "no answer".
    RETURNS (dict[str, Any]): `documents`, `questions`, `null_threshold`, `scores`, `by_length`, `by_position` (of
        questions with an answer), `by_category` (if there are categories), and `counts`.
    """
    number = len(lengths)
    both = [(one, *points(one, threshold)) for one in asked]
    f1 = [(one, value) for one, _, value in both]
    of_documents = count(number, f1)
    has_answer = [(one, value) for one, value in f1 if one.row.gold]
    kinds = {
        "qa_f1": of_documents,
        "qa_exact": count(number, ((one, value) for one, value, _ in both)),
        "qa_hasans_f1": count(number, has_answer),
        "qa_noans_f1": count(number, ((one, value) for one, value in f1 if not one.row.gold)),
        # For comparison: the component's default threshold, and never giving an answer.
        "qa_f1_threshold_0": count(number, ((one, points(one, 0.0)[1]) for one in asked)),
        "qa_f1_no_answer": count(number, ((one, float(not one.row.gold)) for one in asked)),
    }
    quarters = [count(number, (pair for pair in has_answer if pair[0].quarter == part)) for part in range(QUARTERS)]
    categories = sorted({one.category for one, _ in f1 if one.category})
    by_type = {
        category: {
            **interval(count(number, (pair for pair in f1 if pair[0].category == category)), mean),
            "mentions": sum(one.category == category for one, _ in f1),
        }
        for category in categories
    }
    return {
        "documents": number,
        "questions": len(asked),
        "null_threshold": threshold,
        "scores": {name: interval(counts, mean) for name, counts in kinds.items() if counts[:, 1].any()},
        "by_length": by_length(of_documents, lengths, mean),
        "by_position": by_position(np.stack(quarters, axis=1), mean),
        **({"by_type": by_type} if by_type else {}),
        "counts": of_documents.tolist(),
    }


def changes(system: str, settings: Settings) -> dict[str, Any]:
    """RETURNS (dict[str, Any]): settings for less dropout if the encoder starts from random weights."""
    if settings.checkpoint is not None:
        return {}
    return {f"components.{COMPONENT}.model.transformer_config": {"hidden_dropout_prob": DROPOUT}}


SHARED: dict[str, Any] = {
    "metric": "qa_f1",
    "metric_name": "F1",
    "measure": measure,
    "encoder": COMPONENT,
    "changes": changes,
    "knows_neighbours": True,
    "question": QUESTION,
    "finish": finish,
    # spaCy's tok2vec has no component that answers questions.
    "systems": ("bigbird", "strided", "truncated"),
}
TASKS = {
    "cuad": Task(
        name="cuad",
        title="Clauses of contracts (CUAD, seven questions)",
        configs={"": "qa.cfg"},
        preprocess=preprocess_cuad,
        about="510 contracts: 357 for training, 51 for development, 102 for testing, with seven questions each; "
        "many have no answer. By position: questions with an answer, by where the first one begins. spaCy's "
        "tok2vec has no component for questions.",
        **SHARED,
    ),
    "covid_qa": Task(
        name="covid_qa",
        title="Questions about scientific articles (COVID-QA)",
        configs={"": "qa.cfg"},
        preprocess=preprocess_covid_qa,
        about="92 articles: 74 for training, 9 for development, 9 for testing. Free questions cannot be learned from "
        "random weights: the table only shows that training runs. spaCy's tok2vec has no component for questions.",
        **SHARED,
    ),
}
