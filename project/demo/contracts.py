"""Writes made-up contracts together with their gold annotation. A seed determines every word."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from . import prose
from .fillers import FILLERS

# Length of a contract's first part, and the positions and distances that keep clauses clear of its end. Unit: tokens.
FIRST_PART = 512
EARLY_UNTIL = 280
LATE_FROM = 560
FAR_APART = 400
CLAUSE_TOKENS = 50
MONEY_FORMS = ["EUR {:,}", "USD {:,}", "GBP {:,}", "CHF {:,}"]
DAYS = [*map(str, [5, 10, 14, 15, 20, 21, 28, 30, 45, 60, 75, 90, 120]), "ten", "thirty", "sixty", "ninety"]
ALTERNATIVES = re.compile(r"\(([^()]*\|[^()]*)\)")
MARKS = re.compile(r"\[(\w+)\]|<|>")
TOKEN = re.compile(r"\w+|[^\w\s]")

Spans = list[tuple[int, int, str]]


@dataclass
class Passage:
    """A piece of text with its entities, and the place of the answer to `question` or of the clause of `category`."""

    text: str
    entities: Spans = field(default_factory=list)
    answer: tuple[int, int] | None = None
    question: str | None = None
    category: str | None = None
    is_heading: bool = False


@dataclass
class Contract:
    """A contract with its gold annotation.

    entities (list): start and end (exclusive) character and label of each entity.
    questions (list): questions, shaped like SQuAD's.
    categories (dict): whether the contract has each category.
    clauses (list): places of the clauses of the categories.
    """

    text: str
    entities: Spans
    questions: list[dict]
    categories: dict[str, bool]
    clauses: Spans


def write_contracts(seed: int | str, number: int, shortest: int, longest: int) -> Iterator[Contract]:
    """Write contracts whose lengths are spread evenly over a range.

    seed (int | str): determines everything.
    number (int): number of contracts.
    shortest, longest (int): approximate range of lengths. Unit: tokens.
    """
    for i in range(number):
        yield ContractWriter(random.Random(f"{seed}-{i}")).write(shortest, longest)


def count_tokens(text: str) -> int:
    """RETURNS (int): approximate number of spaCy's tokens in a text."""
    return len(TOKEN.findall(text))


def write_extracts(seed: int | str, number: int, facts: int, fillers: int, has_categories: bool) -> Iterator[Contract]:
    """Write contracts with a title, a few paragraphs and one signature only.

    seed, number: as in `write_contracts`.
    facts (int): number of questions answered in each.
    fillers (int): length of the text that belongs to no clause. Unit: tokens.
    has_categories (bool): whether they contain clauses of the categories.
    """
    for i in range(number):
        yield ContractWriter(random.Random(f"{seed}-{i}")).write_extract(facts, fillers, has_categories)


class ContractWriter:
    """Writes a contract.

    rng (random.Random): the source of all random choices.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        first, second, subject = rng.choice(prose.KINDS)
        pairs = rng.sample([(a, b) for a in prose.TERM_FIRST for b in prose.TERM_LAST], rng.randint(3, 6))
        self.year = rng.randint(2005, 2024)
        self.terms = [" ".join(pair) for pair in pairs]
        title = rng.choice(["{} Agreement", "Master {} Agreement", "General {} Agreement", "Framework {} Agreement"])
        self.values = {"a": first, "b": second, "title": title.format(subject)}
        self.values |= {"PARTY_A": self._company(), "PARTY_B": self._company()}
        self._unused: dict[str, list[str]] = {}

    def write(self, shortest: int, longest: int) -> Contract:
        """RETURNS (Contract): a contract with about `shortest` to `longest` tokens."""
        length = self.rng.randint(shortest, longest)
        beginning = [self._title(), self.fill(self._one(prose.OPENINGS))]
        beginning += [self.fill(self._one(prose.DEFINITIONS), TERM=term) for term in self.terms]
        end = [self.fill(signature) for signature in prose.SIGNATURES]
        facts = self._facts()
        states = self._states()
        reserved = sum(count_tokens(p.text) for p in [*beginning, *facts, *end]) + CLAUSE_TOKENS * len(states)
        body = self._fillers(length - reserved)
        for fact in facts:
            body.insert(self.rng.randint(1, len(body)), fact)
        for category, state in states.items():
            self._insert_clauses(body, count_tokens("\n".join(p.text for p in beginning)), category, state)
        categories = {category: state == "both" for category, state in states.items()}
        return self._assemble([*beginning, *body, *end], categories)

    def write_extract(self, facts: int, fillers: int, has_categories: bool) -> Contract:
        """RETURNS (Contract): clauses that answer questions, optionally those of categories, and other text."""
        states = self._states() if has_categories else {}
        body = [passage for passage in self._fillers(fillers) if not passage.is_heading]
        body += self.rng.sample(self._facts(), facts)
        for category, state in states.items():
            body += [self._clause(category, name) for name in ("first", "second") if state in (name, "both")]
        self.rng.shuffle(body)
        body = [self._title(), *body, self.fill(self._one(prose.SIGNATURES))]
        return self._assemble(body, {category: state == "both" for category, state in states.items()})

    def _title(self) -> Passage:
        return Passage(self.values["title"].upper(), is_heading=True)

    def _states(self) -> dict[str, str]:
        """Choose which of its clauses each category has."""
        return {category: self.rng.choice(["both", "first", "second"]) for category in prose.CATEGORIES}

    def _clause(self, category: str, name: str) -> Passage:
        """Write the first or the second clause of a category: two of its wordings."""
        wordings = dict(zip(["first", "second"], prose.CATEGORIES[category], strict=True))[name]
        sentences = [self.fill(wording) for wording in self.rng.sample(wordings, 2)]
        return replace(join(sentences, " "), category=f"{category}:{name}")

    def _facts(self) -> list[Passage]:
        """Write a clause for each question."""
        years = {"What is the effective date?": (0, 0), "When does it expire?": (2, 9)}
        dates = {question: {"DATE": self._date(*pair)} for question, pair in years.items()}
        return [
            replace(self.fill(self._one(wordings), **dates.get(question, {})), question=question)
            for question, wordings in prose.FACTS.items()
        ]

    def fill(self, template: str, **values: str) -> Passage:
        """Choose among a template's wordings and fill its slots, some of them with the given values.

        RETURNS (Passage): the text with its entities and its answer.
        """
        wording = ALTERNATIVES.sub(lambda match: self._one(match[1].split("|")), template)
        wording = re.sub(r" +(?=[ .]|$)", "", wording)
        passage = Passage("")
        start = done = 0
        for mark in MARKS.finditer(wording):
            passage.text += wording[done : mark.start()]
            done = mark.end()
            if mark[0] == "<":
                start = len(passage.text)
            elif mark[0] == ">":
                passage.answer = (start, len(passage.text))
            else:
                slot = mark[1]
                value = values.get(slot) or self.values.get(slot) or self._fresh(slot)
                if slot.isupper():
                    label = slot.split("_")[0]
                    passage.entities.append((len(passage.text), len(passage.text) + len(value), label))
                passage.text += value
        passage.text += wording[done:]
        return passage

    def _one(self, options: list[str]) -> str:
        return self.rng.choice(options)

    def _name(self) -> str:
        middle = self._one(prose.SYLLABLES_LAST) if self.rng.random() < 0.2 else ""
        return self._one(prose.SYLLABLES_FIRST) + middle + self._one(prose.SYLLABLES_LAST)

    def _company(self) -> str:
        branch = f" {self._one(prose.BRANCHES)}" if self.rng.random() < 0.7 else ""
        return f"{self._name()}{branch} {self._one(prose.FORMS)}"

    def _other_company(self) -> str:
        return f"{self._name()} {self._one(prose.OTHER_FORMS)}"

    def _person(self) -> str:
        initial = f"{self._one(list('ABCDEFGHJKLMNPRST'))}. " if self.rng.random() < 0.2 else ""
        surname = self._one(prose.SYLLABLES_FIRST) + self._one(prose.SURNAME_ENDINGS)
        return f"{self._one(prose.FIRST_NAMES)} {initial}{surname}"

    def _date(self, earliest: int = -5, latest: int = 9) -> str:
        day, month = self.rng.randint(1, 28), self.rng.randint(1, 12)
        year, name = self.year + self.rng.randint(earliest, latest), prose.MONTHS[month - 1]
        return self._one([f"{day} {name} {year}", f"{day}/{month}/{year}"])

    def _fresh(self, slot: str) -> str:
        if slot == "MONEY":
            return self._one(MONEY_FORMS).format(self.rng.randint(2, 99) * 10 ** self.rng.randint(2, 5))
        if slot == "number":
            return str(self.rng.randint(2, 99))
        words = {"TERM": self.terms, "city": prose.CITIES, "state": prose.STATES, "days": DAYS}
        makers = {"DATE": self._date, "PERSON": self._person, "company": self._other_company}
        return makers[slot]() if slot in makers else self._one(words[slot])

    def _next(self, topic: str) -> str:
        """Choose a sentence of a topic; none is repeated before all have been used."""
        if not self._unused.get(topic):
            self._unused[topic] = self.rng.sample(FILLERS[topic], len(FILLERS[topic]))
        return self._unused[topic].pop()

    def _fillers(self, tokens: int) -> list[Passage]:
        """Write articles with a heading and a few paragraphs of one to three sentences."""
        body: list[Passage] = []
        topics: list[str] = []
        while tokens > 0 or not body:
            topics = topics or self.rng.sample(list(FILLERS), len(FILLERS))
            topic = topics.pop()
            body.append(Passage(topic, is_heading=True))
            for _ in range(self.rng.randint(1, 4)):
                paragraph = join([self.fill(self._next(topic)) for _ in range(self.rng.randint(1, 3))], " ")
                body.append(paragraph)
                tokens -= count_tokens(paragraph.text) + 4
                if tokens <= 0:
                    break
        return body

    def _insert_clauses(self, body: list[Passage], offset: int, category: str, state: str) -> None:
        """Insert one or both clauses of a category at suitable places.

        In half of the long contracts, with or without the category, exactly one clause is near the beginning; all
        others come later. Thus the first part of a contract says nothing about its categories.
        """
        wanted = [name for name in ("first", "second") if state in (name, "both")]
        self.rng.shuffle(wanted)
        starts = [offset]
        for passage in body:
            starts.append(starts[-1] + count_tokens(passage.text) + 4)
        places = range(1, len(body) + 1)
        early = [i for i in places if starts[i] <= EARLY_UNTIL]
        late = [i for i in places if starts[i] >= LATE_FROM]
        if starts[-1] < LATE_FROM + 2 * FAR_APART:
            chosen = [self.rng.choice(places) for _ in wanted]
        else:
            far = {i: [j for j in late if abs(starts[j] - starts[i]) >= FAR_APART] for i in [*early, *late]}
            first = self.rng.choice(early if early and self.rng.random() < 0.5 else [i for i in late if far[i]])
            chosen = [first, *(self.rng.choice(far[first]) for _ in wanted[1:])]
        for place, name in sorted(zip(chosen, wanted, strict=True), reverse=True):
            body.insert(place, self._clause(category, name))

    def _assemble(self, passages: list[Passage], categories: dict[str, bool]) -> Contract:
        contract = Contract("", [], [], categories, [])
        article = paragraph = 0
        for passage in passages:
            if passage.is_heading:
                number = f"Article {article}. " if article else ""
                article, paragraph = article + 1, 0
            else:
                paragraph += 1
                number = f"{article - 1}.{paragraph} " if article > 1 else ""
            start = len(contract.text) + len(number)
            contract.text += f"{number}{passage.text}\n\n" if passage.is_heading else f"{number}{passage.text}\n"
            contract.entities += [(start + first, start + end, label) for first, end, label in passage.entities]
            if passage.category:
                contract.clauses.append((start, start + len(passage.text), passage.category))
            if passage.question and passage.answer:
                first, end = passage.answer
                answer = {"text": passage.text[first:end], "answer_start": start + first}
                contract.questions.append({"id": passage.question, "question": passage.question, "answers": [answer]})
        return contract


def join(passages: list[Passage], separator: str) -> Passage:
    """RETURNS (Passage): the concatenated passages with their entities."""
    joined = Passage("")
    for passage in passages:
        joined.text += separator if joined.text else ""
        start = len(joined.text)
        joined.entities += [(start + first, start + end, label) for first, end, label in passage.entities]
        joined.text += passage.text
    return joined
