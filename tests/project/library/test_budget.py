"""Every system gets the same time, and the same documents."""

import time

import pytest
import spacy
import srsly
from spacy.scorer import get_ner_prf
from spacy.tokens import Span
from spacy.training import Example

from project.workflows.library import budget
from spacy_bigbird.pipeline.ner.biluo import preset_entities


@pytest.fixture
def nlp():
    return spacy.blank("en")


def make_examples(nlp, lengths):
    return [Example(nlp.make_doc("word " * n), nlp.make_doc("word " * n)) for n in lengths]


class Hands:
    """A clock that goes on only when it is told to."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setitem(budget.CLOCKS, "cpu", lambda: self.now)


@pytest.fixture
def hands(monkeypatch):
    return Hands(monkeypatch)


def test_batches_end_with_the_time_and_evaluation_does_not_count(nlp, hands):
    batcher = budget.make_budget_batcher(lambda examples: ([one] for one in examples), seconds=10.0)
    examples = make_examples(nlp, [3, 3, 3])
    dev = budget.make_outside_budget(lambda nlp: [])
    seen = 0
    for _ in batcher(examples):
        seen += 1
        hands.now += 1.0
        list(dev(nlp))
        hands.now += 100.0
    assert seen == 10
    facts = budget.CLOCK.facts()
    assert facts == {
        "clock": "cpu",
        "budget_seconds": 10.0,
        "used_seconds": 10.0,
        "steps": 10,
        "documents": 10,
        "tokens": 30,
    }


def test_phases_take_documents_by_length_until_their_share_is_used(nlp, hands):
    phases = [{"longest": 5, "until": 0.3}, {"shortest": 6}]
    batcher = budget.make_budget_batcher(lambda examples: ([one] for one in examples), 10.0, phases=phases)
    lengths = []
    for (one,) in batcher(make_examples(nlp, [2, 4, 9])):
        lengths.append(len(one.predicted))
        hands.now += 1.0
    assert sorted(lengths[:2]) == [2, 4] and lengths[2] in (2, 4) and lengths[3:] == [9] * 7
    with pytest.raises(ValueError, match="change the phase"):
        list(budget.make_budget_batcher(lambda e: [e], 10.0, phases=[{"shortest": 99}])(make_examples(nlp, [3])))


def test_noise_changes_words_and_nothing_else(nlp, hands):
    doc = nlp.make_doc("Anna met Boris in the old town yesterday .")
    doc.ents = [doc.char_span(0, 4, "PER")]
    doc.cats = {"A": 1.0}
    batcher = budget.make_budget_batcher(lambda examples: [list(examples)], 50.0, noise=0.3)
    changed = 0
    for (one,) in batcher([Example(nlp.make_doc(doc.text), doc)]):
        words = [token.text for token in one.predicted]
        assert words == [token.text for token in one.reference] and len(words) == len(doc)
        assert [(ent.start, ent.end, ent.label_) for ent in one.reference.ents] == [(0, 1, "PER")]
        assert not one.predicted.ents and one.reference.cats == {"A": 1.0}
        changed += sum(word != token.text for word, token in zip(words, doc, strict=True))
        hands.now += 1.0
    # Of 50 times 9 words three in ten are drawn, and one in nine of these is the same again.
    assert 0.2 < changed / (50 * len(doc)) < 0.33


def test_noise_leaves_the_most_frequent_words_alone_and_puts_them_nowhere(nlp, hands):
    doc = nlp.make_doc("The cat saw the dog , the bird saw the cat , the end")
    batcher = budget.make_budget_batcher(lambda examples: [list(examples)], 50.0, noise=1.0, frequent=2)
    replaced = set()
    for (one,) in batcher([Example(nlp.make_doc(doc.text), doc)]):
        for token, new in zip(doc, one.predicted, strict=True):
            if token.lower_ in ("the", "cat"):
                assert new.text == token.text
            else:
                replaced.add(new.text)
        hands.now += 1.0
    assert replaced == {"saw", "dog", ",", "bird", "end"}


def test_without_seconds_it_is_one_pass_over_everything(nlp):
    batches = budget.make_budget_batcher(lambda examples: ([one] for one in examples), 0.0, phases=[{"longest": 1}])
    assert len(list(batches(make_examples(nlp, [3, 40])))) == 2


def test_cpu_time_is_that_of_the_process():
    clock = budget.Clock()
    clock.start("cpu", 1.0)
    clock.resume()
    time.sleep(0.3)
    clock.pause()
    assert clock.used < 0.2


def test_the_learning_rate_follows_the_time(nlp, hands):
    rates = budget.make_schedule(rate=1.0, warmup=0.2)
    budget.CLOCK.start("cpu", 10.0)
    budget.CLOCK.resume()
    found = []
    for _ in range(11):
        found.append(next(rates))
        hands.now += 1.0
    assert found[0] == pytest.approx(0.005) and found[1] == pytest.approx(0.505) and found[2] == 1.0
    assert found[6] == pytest.approx(0.5) and found[10] == 0.0


def test_the_record_is_written_as_it_comes(tmp_path, nlp, hands):
    log_step, finalize = budget.make_logger(str(tmp_path / "record"))(nlp)
    budget.CLOCK.start("cpu", 10.0)
    for step in range(3):
        log_step({"step": step, "score": 0.5, "losses": {"ner": 6.0}} if step in (0, 2) else None)
    finalize()
    first, last = srsly.read_jsonl(tmp_path / "record" / "curve.jsonl")
    assert first["losses"] == {"ner": 6.0} and last["losses"] == {"ner": 3.0} and last["score"] == 0.5
    assert srsly.read_json(tmp_path / "record" / "training.json")["budget_seconds"] == 10.0


@pytest.mark.parametrize(
    ("limit", "expected"), [(0, range(10)), (3, range(0, 10, 4)), (10, range(10)), (99, range(10))]
)
def test_a_limited_corpus_is_from_everywhere_in_the_file(nlp, tmp_path, limit, expected):
    texts = [f"document {number}" for number in range(10)]
    spacy.tokens.DocBin(docs=[nlp.make_doc(text) for text in texts]).to_disk(tmp_path / "dev.spacy")
    examples = budget.make_corpus(str(tmp_path / "dev.spacy"), limit=limit)(nlp)
    assert [example.reference.text for example in examples] == [texts[number] for number in expected]


def test_entities_after_the_beginning_count_as_missed_in_development(nlp, vocab_file, tmp_path):
    doc = nlp.make_doc("Ann saw Bob in town. " * 30)
    doc.set_ents([Span(doc, i, i + 1, "PER") for i, token in enumerate(doc) if token.text in ("Ann", "Bob")])
    spacy.tokens.DocBin(docs=[doc]).to_disk(tmp_path / "dev.spacy")
    read, unread = budget.make_corpus(str(tmp_path / "dev.spacy"), str(vocab_file), first_pieces=100, is_dev=True)(nlp)
    assert len(read.reference) < len(unread.reference) and len(read.reference) + len(unread.reference) == len(doc)
    # spaCy evaluates copies.
    assert preset_entities(unread.predicted.copy()) == ([], list(range(len(unread.predicted))))
    read.predicted.ents = [Span(read.predicted, ent.start, ent.end, ent.label_) for ent in read.reference.ents]
    scores = get_ner_prf([read, unread])
    assert scores["ents_p"] == 1.0 and scores["ents_r"] == pytest.approx(len(read.reference.ents) / len(doc.ents))
    # Categories are those of the document, whatever is read of it.
    plain = nlp.make_doc(doc.text)
    plain.cats = {"A": 1.0}
    spacy.tokens.DocBin(docs=[plain]).to_disk(tmp_path / "dev.spacy")
    (only,) = budget.make_corpus(str(tmp_path / "dev.spacy"), str(vocab_file), first_pieces=100, is_dev=True)(nlp)
    assert len(only.reference) == len(read.reference) and only.reference.cats == {"A": 1.0}
