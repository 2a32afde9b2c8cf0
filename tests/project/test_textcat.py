"""Authors and topics, from the assets to the scores, on a few documents in the true format of each form."""

import itertools
import re

import pytest
import spacy
import srsly
from hypothesis import given
from hypothesis import strategies as st

from project.workflows.library import sources
from project.workflows.library.corpus import read_docs
from project.workflows.library.options import make_settings
from project.workflows.library.parts import load_tokenizer
from project.workflows.steps import evaluate, train
from project.workflows.textcat import novels as novels_of
from project.workflows.textcat import task as textcat

from ..toy_text import toy_texts
from .stand_ins import copy_project, novel_files, write_articles_converted, write_articles_upstream, write_novels


@pytest.fixture(scope="module")
def tokenizer(vocab_file):
    return load_tokenizer(vocab_file)


def parts_of(corpus):
    return {part: read_docs(corpus / f"{part}.spacy") for part in ("train", "dev", "test")}


@pytest.mark.parametrize("form", ["converted", "upstream"])
def test_novels_of_both_forms_are_split_by_novel(form, tmp_path, monkeypatch):
    monkeypatch.delenv(sources.VARIABLE, raising=False)
    if form == "converted":
        monkeypatch.setenv(sources.VARIABLE, str(tmp_path))
    write_novels(tmp_path, form == "converted")
    textcat.preprocess_authors(tmp_path, make_settings(max_length=258))
    corpus = tmp_path / "corpus" / "authors"
    docs = parts_of(corpus)
    novels = {part: {doc.user_data["group"] for doc in docs[part]} for part in docs}
    # The latest of each author is the test; a novel without a name and one too young are left out.
    assert novels["test"] == {"Austen_Emma_1815", "Doyle_Lost_1912"} and len(novels["dev"]) == 1
    assert novels["dev"] | novels["train"] == {"Austen_Sense_1811", "Austen_Park_1814", "Doyle_Hound_1902"}
    assert srsly.read_json(corpus / "split.json")["split"]["Doyle_Lost_1912"] == "test"
    own = load_tokenizer(corpus / "spiece.model")
    for doc in itertools.chain(*docs.values()):
        author = doc.user_data["group"].partition("_")[0]
        assert doc.cats == {name: float(name == author) for name in ("Austen", "Doyle")}
        assert len(own.text_ids([doc.text])[0]) <= 256
        assert "A NOVEL" not in doc.text and f"by {author}" not in doc.text
    assert max(len(docs[part]) for part in docs) > 1


def test_titles_go_and_paragraphs_stay():
    text = " Jane Eyre\r\nby Charlotte\r\nPREFACE\r\n" + "A long line. " * 8 + "\r\nShort.\r\n\r\nEnd.\r\n"
    assert novels_of.without_title(text) == "A long line. " * 7 + "A long line.\n\nShort.\n\nEnd."
    assert novels_of.without_title("a\nb") == "a\n\nb"


def test_every_author_has_a_novel_to_learn_from():
    names = [f"A{i:02}_{title}_{year}" for i in range(12) for title, year in (("x", 1850), ("y", 1870), ("z", 1860))]
    names += ["B_x_1900", "B_y_1910", "C_x_1900"]
    split = novels_of.split_novels(names)
    assert split == novels_of.split_novels(names[::-1])
    assert {name for name, part in split.items() if part == "test"} == {f"A{i:02}_y_1870" for i in range(12)} | {
        "B_y_1910"
    }
    assert list(split.values()).count("dev") == 10
    assert {name.partition("_")[0] for name, part in split.items() if part == "train"} == {
        n.partition("_")[0] for n in names
    }


SOME_WORDS = " ".join(toy_texts(3)).split()


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(24, 120))
def test_parts_of_a_text_fit_and_lose_nothing(tokenizer, sizes, capacity):
    text = "\n\n".join(" ".join(SOME_WORDS[size : 2 * size]) for size in sizes)
    parts = novels_of.cut(text, tokenizer, capacity)
    assert " ".join(parts).split() == text.split()
    assert all(len(tokenizer.text_ids([part])[0]) <= capacity for part in parts)
    assert "" not in parts


@pytest.mark.parametrize("form", ["converted", "upstream"])
def test_articles_of_both_forms_have_one_subject(form, tmp_path, monkeypatch):
    monkeypatch.delenv(sources.VARIABLE, raising=False)
    if form == "converted":
        monkeypatch.setenv(sources.VARIABLE, str(tmp_path))
        write_articles_converted(tmp_path)
    else:
        write_articles_upstream(tmp_path)
    texts = {
        text.group.replace("%C3%96", "Ö"): text for text in textcat.read_topics(sources.find("wikispeedia", tmp_path))
    }
    assert {name: text.label for name, text in texts.items()} == {
        "Paprika": "Everyday_life",
        "Lake_Ö": "Geography",
        "Old_Bridge": "Geography",
    }
    assert all("Related subjects" not in text.text and "agriculture" not in text.text for text in texts.values())
    paprika = texts["Paprika"].text
    assert paprika == (
        "Paprika\n\nThe word paprika means a red spice made of peppers. It is hot in soups and stews.\n\nHistory\n\n"
        "It is old."
    )
    textcat.preprocess_topics(tmp_path, make_settings())
    docs = parts_of(tmp_path / "corpus" / "topics")
    assert sum(map(len, docs.values())) == 3
    assert all(sum(doc.cats.values()) == 1.0 and len(doc.cats) == 2 for doc in itertools.chain(*docs.values()))


def test_labels_are_counted():
    nlp = spacy.blank("en")
    references, found = ([nlp.make_doc("x") for _ in range(3)] for _ in range(2))
    for doc, label, group in zip(references, "ABA", "ggh", strict=True):
        doc.cats = {name: float(name == label) for name in "AB"}
        doc.user_data["group"] = group
    for doc, score in zip(found, (0.9, 0.8, 0.3), strict=True):
        doc.cats = {"A": score, "B": 1 - score}
    counts = textcat.count(references, found)
    assert counts.tolist() == [[1, 1], [0, 1], [0, 1]]
    assert textcat.by_group(references, counts).tolist() == [[1, 2], [0, 1]]
    # Right, wrong and missed, of A and of B.
    assert textcat.count_labels(references, found).tolist() == [
        [1, 0, 0, 0, 0, 0],
        [0, 1, 0, 0, 0, 1],
        [0, 0, 1, 0, 1, 0],
    ]


@pytest.mark.parametrize("system", ["strided", "tok2vec"])
def test_a_system_learns_who_wrote_it(system, tmp_path, monkeypatch):
    root = copy_project(tmp_path)
    monkeypatch.setenv(sources.VARIABLE, str(tmp_path))
    write_novels(tmp_path, is_converted=True)
    # Parts of the documents come first: they must be longer than these.
    settings = make_settings(max_length=802, seconds=2.0)
    textcat.preprocess_authors(root, settings)
    train.train("authors", system, settings, root)
    results = evaluate.evaluate("authors", system, settings, root)
    assert results["groups"] == 2 and results["training"]["steps"] >= 2
    assert [group["longest"] for group in results["by_length"]] == [512, 1024, 2048, "whole"]
    assert len(results["by_position"]) == 4 and 0.0 <= results["scores"]["cats_macro_f"]["score"] <= 1.0
    right, documents = map(sum, zip(*results["counts"], strict=True))
    assert documents == results["documents"]
    assert results["scores"]["cats_accuracy"]["score"] == pytest.approx(right / documents, abs=1e-4)


def test_real_novels_and_articles(data_dir, tmp_path, monkeypatch, tokenizer):
    monkeypatch.setenv(sources.VARIABLE, str(data_dir))
    novels = dict(itertools.islice(novels_of.read_novels(sources.find("novels", tmp_path)), 6))
    assert all(re.fullmatch(r"\w+_\w+_1[789]\d\d", name) for name in novels)
    assert not any(name.startswith("Anon") for name in novels)
    text = next(iter(novels.values()))
    parts = novels_of.cut(text[:60_000], tokenizer, 2046)
    assert " ".join(parts).split() == text[:60_000].split()
    lengths = [len(ids) for ids in tokenizer.text_ids(parts)]
    assert max(lengths) <= 2046 and min(lengths) > 1000
    articles = list(itertools.islice(textcat.read_topics(sources.find("wikispeedia", tmp_path)), 40))
    assert all("Related subjects" not in article.text for article in articles)
    assert {"Science", "Geography"} <= {article.label for article in articles}
    assert {article.part for article in articles} == {"train", "dev", "test"}


def test_the_stand_ins_are_long_enough():
    assert min(len(text.split()) for text in novel_files().values()) > 400
