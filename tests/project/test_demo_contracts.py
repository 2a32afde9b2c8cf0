"""The made-up contracts: everything said of them is true, and what needs distant context cannot be read off locally."""

import random
import re
from collections import Counter

import numpy as np
import pytest
import spacy
import srsly

from project.demo import prose
from project.demo.contracts import (
    FIRST_PART,
    TOKEN,
    Contract,
    ContractWriter,
    count_tokens,
    write_contracts,
    write_extracts,
)
from project.demo.corpus import as_doc, first_part, read_docs, save_docs
from project.demo.fillers import FILLERS

WORD = re.compile(r"[a-z]+")


@pytest.fixture(scope="module")
def contracts() -> list[Contract]:
    return list(write_contracts(seed=7, number=400, shortest=1500, longest=1800))


def state(contract: Contract, category: str) -> frozenset[str]:
    """Which of the category's clauses stand in the contract."""
    return frozenset(name.split(":")[1] for _, _, name in contract.clauses if name.startswith(category))


def test_a_seed_decides_everything():
    first, again, other = (
        [c.text for c in write_contracts(seed, 3, shortest, 900)] for seed, shortest in ((1, 400), (1, 400), (2, 400))
    )
    assert first == again
    assert not set(first) & set(other)
    assert len(set(first)) == 3


def test_gold_is_what_the_text_says(contracts):
    for contract in contracts[:50]:
        text = contract.text
        assert sorted(question["question"] for question in contract.questions) == sorted(prose.FACTS)
        for question in contract.questions:
            (answer,) = question["answers"]
            start = answer["answer_start"]
            assert text[start : start + len(answer["text"])] == answer["text"]
        for start, end, label in contract.entities:
            assert label in {"PARTY", "PERSON", "DATE", "MONEY", "TERM"}
            assert text[start:end] == text[start:end].strip() != ""
        assert not re.search(r"[\[\]<>|]|  | [.,]", text)


def test_every_template_can_be_filled():
    writer = ContractWriter(random.Random(0))
    wordings = [
        w for group in (*FILLERS.values(), *prose.FACTS.values(), *sum(prose.CATEGORIES.values(), ())) for w in group
    ]
    for template in [*wordings, *prose.OPENINGS, *prose.DEFINITIONS, *prose.SIGNATURES]:
        for _ in range(5):
            passage = writer.fill(template)
            assert passage.text.endswith(".")
            assert (passage.answer is not None) == ("<" in template)


def test_lengths_are_those_that_were_asked_for():
    for shortest, longest in ((450, 600), (1500, 6000)):
        lengths = [count_tokens(c.text) for c in write_contracts(3, 20, shortest, longest)]
        assert shortest <= min(lengths) + 100 and max(lengths) <= longest + 200
        assert max(lengths) > (shortest + longest) / 2 > min(lengths)


def test_extracts_hold_what_was_asked_for():
    for fillers, has_categories in ((30, True), (120, False)):
        extracts = list(write_extracts(5, 20, facts=3, fillers=fillers, has_categories=has_categories))
        lengths = []
        for extract in extracts:
            assert len({question["question"] for question in extract.questions}) == 3
            assert set(extract.categories) == (set(prose.CATEGORIES) if has_categories else set())
            for category, is_true in extract.categories.items():
                assert is_true == (len(state(extract, category)) == 2)
            clauses = sum(count_tokens(extract.text[start:end]) for start, end, _ in extract.clauses)
            answers = [question["answers"][0] for question in extract.questions]
            assert all(extract.text[a["answer_start"] :].startswith(a["text"]) for a in answers)
            lengths.append(count_tokens(extract.text) - clauses)
        assert fillers + 40 < np.mean(lengths) < fillers + 130


def test_a_category_is_two_clauses_and_each_alone_is_balanced(contracts):
    for category in prose.CATEGORIES:
        states = Counter(state(contract, category) for contract in contracts)
        assert set(states) == {frozenset({"first"}), frozenset({"second"}), frozenset({"first", "second"})}
        for contract in contracts:
            assert contract.categories[category] == (len(state(contract, category)) == 2)
        for clause in ("first", "second"):
            having = [c for c in contracts if clause in state(c, category)]
            share = sum(c.categories[category] for c in having) / len(having)
            assert share == pytest.approx(0.5, abs=0.1)


def test_clauses_of_a_category_stand_far_apart_and_never_both_at_the_beginning(contracts):
    begun = Counter()
    for contract in contracts:
        for category, is_true in contract.categories.items():
            places = [count_tokens(contract.text[:s]) for s, _, name in contract.clauses if name.startswith(category)]
            early = [place for place in places if place < FIRST_PART]
            assert len(early) <= 1
            assert max(places) - min(places) >= (FIRST_PART / 2 if is_true else 0)
            begun[is_true, len(early)] += 1
    shares = {is_true: begun[is_true, 1] / (begun[is_true, 0] + begun[is_true, 1]) for is_true in (True, False)}
    assert 0.4 < shares[True] < 0.6
    assert shares[True] == pytest.approx(shares[False], abs=0.06)


def bag_of_words_auc(texts: list[str], gold: np.ndarray) -> float:
    """Area under the curve of a ridge regression on which words occur, on the half of the texts it has not seen."""
    bags = [set(WORD.findall(text.lower())) for text in texts]
    words = [word for word, count in Counter(word for bag in bags for word in bag).items() if count >= 10]
    features = np.array([[word in bag for word in words] for bag in bags], dtype=float)
    features -= features.mean(axis=0)
    half = len(texts) // 2
    train, target = features[:half], gold[:half] - gold[:half].mean()
    weights = np.linalg.solve(train.T @ train + 10.0 * np.eye(len(words)), train.T @ target)
    scores, truth = features[half:] @ weights, gold[half:]
    wins = scores[truth == 1][:, None] - scores[truth == 0][None]
    return float((wins > 0).mean())


def test_the_first_part_says_nothing_about_categories_and_the_whole_says_all(contracts):
    """Words alone are enough when all of a contract is read: it is distance that the truncated reader lacks."""
    beginnings = [c.text[: list(TOKEN.finditer(c.text))[FIRST_PART - 1].end()] for c in contracts]
    found = {}
    for category in prose.CATEGORIES:
        gold = np.array([float(contract.categories[category]) for contract in contracts])
        found[category] = (bag_of_words_auc(beginnings, gold), bag_of_words_auc([c.text for c in contracts], gold))
    assert np.mean([part for part, _ in found.values()]) == pytest.approx(0.5, abs=0.06)
    assert max(part for part, _ in found.values()) < 0.65
    assert min(whole for _, whole in found.values()) > 0.7


def test_answers_stand_anywhere(contracts):
    for question in prose.FACTS:
        places = np.array(
            [
                next(q for q in c.questions if q["question"] == question)["answers"][0]["answer_start"] / len(c.text)
                for c in contracts
            ]
        )
        thirds = np.histogram(places, bins=[0, 1 / 3, 2 / 3, 1])[0] / len(contracts)
        assert thirds.min() > 0.2


def test_documents_keep_all_of_it_on_disk(tmp_path, contracts):
    nlp = spacy.blank("en")
    docs = [as_doc(nlp, contract) for contract in contracts[:3]]
    save_docs(tmp_path / "docs.spacy", docs)
    for doc, contract in zip(read_docs(tmp_path / "docs.spacy"), contracts, strict=False):
        assert doc.text == contract.text
        assert [(e.start_char, e.end_char, e.label_) for e in doc.ents] == sorted(contract.entities)
        assert doc.cats == contract.categories
        assert srsly.json_dumps(doc._.questions) == srsly.json_dumps(contract.questions)
        part = first_part(doc)
        assert len(part) == FIRST_PART and doc.text.startswith(part.text) and part.cats == doc.cats
