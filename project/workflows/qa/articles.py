"""Contracts and articles with questions, from either form of their corpora."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import srsly

from ..library.corpus import split_by_shares
from ..library.sources import Asset, open_text, read_archive, read_json_lines

# The categories of CUAD that most contracts have, and that can be learned without pre-training.
CATEGORIES = (
    "Document Name",
    "Parties",
    "Agreement Date",
    "Governing Law",
    "Expiration Date",
    "Effective Date",
    "Anti-Assignment",
)
# All CUAD questions have the same wording around these two parts.
CUAD_QUESTION = re.compile(
    r'related to "(?P<category>.+?)" that should be reviewed by a lawyer\. Details: (?P<details>.+)'
)
COVID_FILES = "*/data/question-answering/20042[13]_covidQA.json"
LICENCE = re.compile(r"^License:\s*cc-by\s*$", re.MULTILINE)
Question = dict[str, Any]


@dataclass(frozen=True)
class Article:
    """A document with questions.

    name (str): its name.
    split (str): "train", "dev" or "test".
    text (str): the whole text.
    questions (list[dict]): as in SQuAD: `id`, `question`, `answers` with `text` and `answer_start`, `is_impossible`.
    """

    name: str
    split: str
    text: str
    questions: list[Question]


def read_cuad(asset: Asset, categories: Sequence[str] | None = CATEGORIES) -> Iterator[Article]:
    """Read contracts with a question per category, such as "Parties: The two or more parties who signed the contract".

    asset (Asset): `CUAD_v1.json`, or the converted contracts, next to which are the questions.
    categories (Sequence[str] | None): the categories to keep; None for all.
    YIELDS (Article): the contracts. Their questions have ids of the form `CONTRACT__CATEGORY`, as upstream.
    """
    if asset.is_converted:
        described = srsly.read_json(asset.path.parent / "cuad_categories.json")
        wording = {row["category"]: _shortened(row["question"]) for row in described}
        for row in read_json_lines(asset.path):
            asked = [_question(row, name, wording[name]) for name in categories or wording]
            yield Article(row["id"], row["split"], row["text"], asked)
        return
    with open_text(asset.path) as file:
        articles = json.load(file)["data"]
    splits = split_by_shares((article["title"] for article in articles), (0.7, 0.1))
    for article in articles:
        (paragraph,) = article["paragraphs"]
        by_category = {question["id"].rsplit("__", 1)[1]: question for question in paragraph["qas"]}
        asked = [by_category[name] for name in categories or by_category if name in by_category]
        asked = [{**question, "question": _shortened(question["question"])} for question in asked]
        yield Article(article["title"], splits[article["title"]], *_repaired(paragraph["context"], asked))


def read_covid_qa(asset: Asset) -> Iterator[Article]:
    """Read the articles on coronaviruses whose licence requires nothing but attribution (CC BY).

    asset (Asset): an archive of the upstream repository, or the converted file.
    YIELDS (Article): the articles. Questions whose answer is not at its offset are left out.
    """
    if asset.is_converted:
        with open_text(asset.path) as file:
            articles = json.load(file)["data"]
        splits = {str(article["document_id"]): article["split"] for article in articles}
        paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
    else:
        files = [json.loads(text)["data"] for _, text in sorted(read_archive(asset.path, COVID_FILES))]
        found = [paragraph for articles in files for article in articles for paragraph in article["paragraphs"]]
        paragraphs = [one for one in found if LICENCE.search(one["context"][:2000])]
        splits = split_by_shares((str(one["document_id"]) for one in paragraphs), (0.8, 0.1))
    for paragraph in paragraphs:
        name = str(paragraph["document_id"])
        yield Article(name, splits[name], *_repaired(paragraph["context"], paragraph["qas"]))


def _shortened(question: str) -> str:
    """Reduce a CUAD question to what distinguishes it from others, because the common wording would fill windows."""
    found = CUAD_QUESTION.search(question)
    return f"{found['category']}: {found['details']}" if found else question


def _question(row: dict[str, Any], category: str, wording: str) -> Question:
    places = row["answers"].get(category, [])
    answers = [{"text": row["text"][start:end], "answer_start": start} for start, end in places]
    name = f"{row['id']}__{category}"
    return {"id": name, "question": wording, "answers": answers, "is_impossible": not answers}


def _repaired(text: str, questions: Iterable[Question]) -> tuple[str, list[Question]]:
    """Correct the offsets of answers, some of which are off by a character or two, and strip surrounding white space.

    Questions without any answer near its offset are left out.
    """
    repaired = []
    for question in questions:
        answers = []
        for answer in question["answers"]:
            wanted, start = answer["text"].strip(), answer["answer_start"]
            near = range(max(0, start - 2), start + len(answer["text"]) - len(wanted) + 3)
            places = [place for place in near if wanted and text.startswith(wanted, place)]
            if places:
                answers.append({"text": wanted, "answer_start": min(places, key=lambda place: abs(place - start))})
        if answers or not question["answers"]:
            asked = {"id": str(question["id"]), "question": question["question"].strip()}
            repaired.append({**asked, "answers": answers, "is_impossible": not answers})
    return text, repaired
