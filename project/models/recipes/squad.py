"""Write SQuAD's questions, divided by article, to OUTPUT/{train,dev,paragraphs,articles}.json in SQuAD's own form.

Every sixth article is for testing. `paragraphs` has each of its paragraphs alone, `articles` all of them joined. About
every tenth question is one of another article, which has no answer here. For training, there are also three paragraphs
at a time, so that the model learns to leave text alone. Articles come from SPACY_BIGBIRD_DATA.
"""

import argparse
import json
import lzma
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .corpora import SEED, data_directory

FILE = "squad_dev/squad_dev_v1.1.json.xz"
TEST_APART, DEV_APART = 6, 14
BREAK = "\n\n"
# Paragraphs that a training context of several has.
TOGETHER = 3
# Share of questions from other articles; as many as this in a whole article, which takes a thousand times longer.
UNANSWERABLE = 0.12
ASKED_OF_ARTICLE = 6

Article = dict[str, Any]
Question = dict[str, Any]
Context = tuple[str, list[Question]]


def divided(articles: Sequence[Article]) -> dict[str, list[Article]]:
    """Divide articles. RETURNS (dict[str, list[Article]]): those of train, dev and test, in the order of the file."""
    rest = [article for number, article in enumerate(articles) if number % TEST_APART != TEST_APART - 1]
    dev = rest[DEV_APART // 2 :: DEV_APART]
    return {
        "train": [article for article in rest if article not in dev],
        "dev": dev,
        "test": [article for number, article in enumerate(articles) if number % TEST_APART == TEST_APART - 1],
    }


def unique(question: Question) -> Question:
    """RETURNS (Question): the question with each different answer once."""
    answers = {(answer["text"], answer["answer_start"]): answer for answer in question["answers"]}
    return {"id": question["id"], "question": question["question"], "answers": list(answers.values())}


def moved(question: Question, offset: int) -> Question:
    """RETURNS (Question): the question about a text in which its paragraph begins at an offset."""
    places = [{**answer, "answer_start": answer["answer_start"] + offset} for answer in question["answers"]]
    return {**question, "answers": places}


def joined(contexts: Sequence[Context]) -> Context:
    """RETURNS (Context): the texts one after the other, with all questions."""
    offset, questions = 0, []
    for text, asked in contexts:
        questions += [moved(question, offset) for question in asked]
        offset += len(text) + len(BREAK)
    return BREAK.join(text for text, _ in contexts), questions


class Corpus:
    """Contexts with questions from the articles of one part.

    articles (Sequence[Article]): the articles.
    """

    def __init__(self, articles: Sequence[Article]) -> None:
        self.random = random.Random(SEED)
        self.contexts = {
            article["title"]: [(part["context"], list(map(unique, part["qas"]))) for part in article["paragraphs"]]
            for article in articles
        }

    def foreign(self, title: str, key: str) -> Question:
        """Draw a question about another article. RETURNS (Question): it has no answer."""
        other = self.random.choice([name for name in self.contexts if name != title])
        asked = self.random.choice([question for _, questions in self.contexts[other] for question in questions])
        return {"id": f"foreign-{key}", "question": asked["question"], "answers": [], "is_impossible": True}

    def paragraphs(self) -> Iterator[Context]:
        """YIELDS (Context): each paragraph with its questions, some with one of another article."""
        for title, contexts in self.contexts.items():
            for number, (text, questions) in enumerate(contexts):
                is_asked = self.random.random() < UNANSWERABLE * len(questions)
                yield text, questions + [self.foreign(title, f"{title}-{number}")] * is_asked

    def several(self) -> Iterator[Context]:
        """YIELDS (Context): paragraphs that follow each other, with a question about each and one without answer."""
        for title, contexts in self.contexts.items():
            for start in range(0, len(contexts) - TOGETHER + 1, TOGETHER):
                chosen = [
                    (text, self.random.sample(questions, min(1, len(questions))))
                    for text, questions in contexts[start : start + TOGETHER]
                ]
                text, questions = joined(chosen)
                yield text, [*questions, self.foreign(title, f"{title}-from-{start}")]

    def articles(self) -> Iterator[Context]:
        """YIELDS (Context): each whole article with some of its questions, and some of others."""
        for title, contexts in self.contexts.items():
            text, questions = joined(contexts)
            chosen = self.random.sample(questions, min(ASKED_OF_ARTICLE, len(questions)))
            count = max(1, round(UNANSWERABLE * len(chosen)))
            yield text, chosen + [self.foreign(title, f"{title}-all-{number}") for number in range(count)]


def write(path: Path, contexts: Sequence[Context]) -> None:
    """Write contexts in SQuAD's form, and print how many there are."""
    paragraphs = [{"context": text, "qas": questions} for text, questions in contexts]
    content = {"version": "2.0", "data": [{"title": path.stem, "paragraphs": paragraphs}]}
    path.write_text(json.dumps(content) + "\n", encoding="utf8")
    print(f"{path.stem:12}{len(contexts):7,} texts {sum(len(asked) for _, asked in contexts):8,} questions")


def main(arguments: Sequence[str] | None = None) -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("output", type=Path)
    options.add_argument("--dev-texts", type=int, default=50, help="paragraphs to develop on (default: 50)")
    given = options.parse_args(arguments)
    with lzma.open(data_directory() / FILE, "rt", encoding="utf8") as file:
        parts = {name: Corpus(articles) for name, articles in divided(json.load(file)["data"]).items()}
    given.output.mkdir(parents=True, exist_ok=True)
    write(given.output / "train.json", [*parts["train"].paragraphs(), *parts["train"].several()])
    dev = list(parts["dev"].paragraphs())
    write(given.output / "dev.json", random.Random(SEED).sample(dev, min(given.dev_texts, len(dev))))
    write(given.output / "paragraphs.json", list(parts["test"].paragraphs()))
    write(given.output / "articles.json", list(parts["test"].articles()))


if __name__ == "__main__":
    main()
