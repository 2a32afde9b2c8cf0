"""Questions for the shared reader: texts and answers of the corpus, and what is stored of a trained pipeline."""

import json

import pytest
import spacy

from project.models.recipes import questions, squad

from .stand_ins import write_checkpoint


def make_article(number, paragraphs=4):
    contexts = [f"Article {number} says that person {number}-{part} was here." for part in range(paragraphs)]
    asked = [
        [
            {"id": f"{number}-{part}-{k}", "question": f"Who was {k} of {number}?", "answers": [answer, answer]}
            for k, answer in enumerate([{"text": f"person {number}-{part}", "answer_start": text.index("person")}] * 2)
        ]
        for part, text in enumerate(contexts)
    ]
    parts = [{"context": text, "qas": qas} for text, qas in zip(contexts, asked, strict=True)]
    return {"title": f"T{number}", "paragraphs": parts}


ARTICLES = [make_article(number) for number in range(36)]


def test_every_sixth_article_is_for_testing_and_none_is_in_two_parts():
    parts = squad.divided(ARTICLES)
    titles = {name: {article["title"] for article in articles} for name, articles in parts.items()}
    assert titles["test"] == {f"T{number}" for number in (5, 11, 17, 23, 29, 35)}
    assert titles["dev"] == {"T8", "T25"}
    assert sum(map(len, titles.values())) == len(set().union(*titles.values())) == 36


@pytest.mark.parametrize("kind", ["paragraphs", "several", "articles"])
def test_answers_are_where_they_are_said_to_be(kind):
    contexts = list(getattr(squad.Corpus(ARTICLES), kind)())
    assert contexts == list(getattr(squad.Corpus(ARTICLES), kind)())
    answers = foreign = 0
    for text, asked in contexts:
        for question in asked:
            for answer in question["answers"]:
                assert text[answer["answer_start"] :].startswith(answer["text"])
                answers += 1
            if question.get("is_impossible"):
                foreign += 1
                assert not question["answers"] and question["question"].split()[-1].rstrip("?") != text.split()[1]
    assert {"paragraphs": 36 * 8, "several": 36 * 3, "articles": 36 * squad.ASKED_OF_ARTICLE}[kind] == answers
    assert foreign > 0


@pytest.fixture(scope="module")
def model(tmp_path_factory, vocab_file):
    """A checkpoint with random weights."""
    return write_checkpoint(tmp_path_factory.mktemp("model"), vocab_file, layers=2)


def test_what_was_exported_answers_the_same(model, tmp_path):
    nlp = spacy.blank("en")
    pipe = nlp.add_pipe("bigbird_span_qa", config={"model": {"name": str(model), "freeze_layers": 1}})
    corpus = squad.Corpus(ARTICLES[:2])
    for name in ("train", "dev", "paragraphs", "articles"):
        squad.write(tmp_path / f"{name}.json", list(corpus.articles() if name == "articles" else corpus.paragraphs()))
    examples = list(questions.examples_of(nlp, tmp_path / "train.json"))
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.01
    for _ in range(10):
        nlp.update(examples, sgd=optimizer)
    scores = questions.export(nlp, model, tmp_path)
    assert scores["paragraphs"]["texts"] == 8 and scores["articles"]["texts"] == 2
    assert 0 <= scores["paragraphs"]["f1"]["low"] <= scores["paragraphs"]["f1"]["score"] <= 1
    folder = model / questions.FOLDER
    assert json.loads((folder / questions.SCORES).read_text()) == scores
    names = set(questions.load_file(folder / questions.WEIGHTS))
    assert not [name for name in names if "embeddings" in name or ".layers.0." in name]
    assert [name for name in names if ".layers.1." in name] and [name for name in names if name.startswith("qa_head")]
    loaded = questions.load(folder)
    assert loaded.get_pipe("bigbird_span_qa").settings == pipe.settings
    text, asked = corpus.contexts["T0"][0][0], ["Who was here?", "What is said?"]
    wanted, found = (one.get_pipe("bigbird_span_qa").ask(one.make_doc(text), asked) for one in (nlp, loaded))
    assert [answer.text for answer in found] == [answer.text for answer in wanted]
    assert [answer.logit for answer in found] == pytest.approx([answer.logit for answer in wanted], abs=5e-3)


def test_the_baseline_is_the_sentence_with_the_most_words_of_the_question(tmp_path):
    text = "The sky is blue. Anna Berg wrote the red book in 1901. Nobody read it."
    question = {
        "id": "1",
        "question": "Who wrote the red book?",
        "answers": [{"text": "Anna Berg", "answer_start": 17}],
    }
    squad.write(tmp_path / "one.json", [(text, [question])])
    found = list(questions.most_common_words(spacy.blank("en"), tmp_path / "one.json"))
    assert found == [(["Anna Berg"], "Anna Berg wrote the red book in 1901.")]


def test_a_model_without_answers_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="answers no questions"):
        questions.load(tmp_path)
