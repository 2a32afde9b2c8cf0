"""Questions that follow: the same answers, without encoding the document again."""

import copy
import pickle

import pytest
import torch
from spacy.training import Example

from spacy_bigbird.thinc_layers.shim import EncoderShim
from tests.toy_questions import QUESTIONS, TEXT, asked, make_nlp

from .test_join_layer import DEEP, HEAD, joined


@pytest.fixture
def nlp(vocab_file):
    made = joined(vocab_file)
    made.get_pipe(HEAD).keep_documents(10**6)
    return made


@pytest.fixture
def encoded(monkeypatch):
    """The numbers of pieces in each call of the lower layers, of documents and of questions."""
    calls, rows = [], EncoderShim._rows

    def counting(self, inputs, layers):
        calls.append(list(inputs.lengths))
        return rows(self, inputs, layers)

    monkeypatch.setattr(EncoderShim, "_rows", counting)
    return calls


def close(found, expected):
    assert [dict(one, alternatives=0, logit=0, null_logit=0, score=0) for one in found] == [
        dict(one, alternatives=0, logit=0, null_logit=0, score=0) for one in expected
    ]
    for key in ("logit", "null_logit", "score"):
        assert [one[key] for one in found] == pytest.approx([one[key] for one in expected], abs=1e-5)


def test_a_question_that_follows_encodes_only_itself(nlp, vocab_file, encoded):
    component, doc = nlp.get_pipe(HEAD), nlp.make_doc(TEXT)
    windows = len(component.question_tokenizer().document_windows(component.question_tokenizer().pieces([TEXT])[0]))
    assert windows > 1
    found = component.ask(doc, QUESTIONS[0])
    assert len(encoded[0]) == windows and len(encoded) == 2
    encoded.clear()
    found += component.ask(nlp.make_doc(TEXT), QUESTIONS[1])
    assert len(encoded) == 1 and len(set(encoded[0])) == 1, "the question, once for each window"
    # `nlp.pipe` reads what `ask` has read.
    encoded.clear()
    (piped,) = nlp.pipe([asked(nlp, TEXT, QUESTIONS[2:])])
    assert len(encoded) == 1
    close(found + piped._.answers, joined(vocab_file).get_pipe(HEAD).ask(doc, QUESTIONS))


def test_a_document_among_others(nlp, vocab_file, encoded):
    component, texts = nlp.get_pipe(HEAD), [TEXT[:100], TEXT[100:160], TEXT[160:]]
    component.ask(nlp.make_doc(texts[1]), QUESTIONS)
    known = encoded[0]
    encoded.clear()
    docs = list(nlp.pipe([asked(nlp, text, QUESTIONS[:2]) for text in texts]))
    others = [length for calls in encoded[::2] for length in calls]
    fresh = joined(vocab_file)
    tokenizer = fresh.get_pipe(HEAD).question_tokenizer()
    lengths = [len(w.ids) for pieces in tokenizer.pieces(texts) for w in tokenizer.document_windows(pieces)]
    assert sorted(others + known) == sorted(lengths)
    for doc, expected in zip(docs, fresh.pipe([asked(fresh, text, QUESTIONS[:2]) for text in texts]), strict=True):
        close(doc._.answers, expected._.answers)


def test_other_weights_or_settings_share_nothing(nlp, vocab_file, encoded):
    component, doc = nlp.get_pipe(HEAD), nlp.make_doc(TEXT)

    def is_new(pipe=component):
        encoded.clear()
        pipe.ask(doc, "Who agrees?")
        return len(encoded) == 2

    assert is_new() and not is_new()
    nlp.update([example(nlp)], sgd=nlp.create_optimizer())
    assert is_new() and not is_new()
    with component.model.use_params({(component.shim.id, name): w for name, w in averages(component)}):
        assert is_new()
    assert not is_new()
    for more in ({"join_layer": 2}, {"overlap": 3}, {"precision": "bf16"}):
        other = joined(vocab_file, **more).get_pipe(HEAD)
        other.shim.kept = component.shim.kept
        assert is_new(other) and not is_new(other), more
    # The weights and settings of the beginning, in another pipeline.
    same = joined(vocab_file).get_pipe(HEAD)
    same.shim.kept = component.shim.kept
    assert not is_new(same)


def test_training_keeps_nothing(nlp):
    nlp.update([example(nlp)], sgd=nlp.create_optimizer())
    assert nlp.get_pipe(HEAD).shim.kept.size == 0


def test_copies_are_empty(nlp):
    nlp.get_pipe(HEAD).ask(nlp.make_doc(TEXT), QUESTIONS)
    assert nlp.get_pipe(HEAD).shim.kept.size > 0
    for again in (pickle.loads(pickle.dumps(nlp.get_pipe(HEAD).model)), copy.deepcopy(nlp.get_pipe(HEAD).model)):
        assert again.shims[0].kept.size == 0


def test_what_is_not_allowed(nlp, vocab_file):
    with pytest.raises(ValueError, match="BB247"):
        make_nlp(vocab_file, transformer_config=DEEP).get_pipe(HEAD).keep_documents(10**6)
    nlp.get_pipe(HEAD).keep_documents(0)
    assert nlp.get_pipe(HEAD).shim.kept is None


def example(nlp):
    gold = {"question": "Who?", "answers": [{"text": "both parties", "answer_start": TEXT.index("both")}]}
    return Example(nlp.make_doc(TEXT), asked(nlp, TEXT, [gold]))


def averages(component):
    for name, weight in component.shim.module.named_parameters():
        yield name, (weight.detach() + torch.ones(())).numpy()
