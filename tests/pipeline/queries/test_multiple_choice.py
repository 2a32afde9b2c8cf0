"""Multiple choice as a component: options and windows are combined exactly, it learns, saves and imports."""

import pickle

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import DocBin
from spacy.training import Example

from spacy_bigbird.thinc_layers.question_windows import QuestionTokenizer, pack
from tests.toy_questions import TEXT, TINY, import_checkpoint

CHOICES = [
    {"question": "Who agrees?", "options": ["the parties", "the river", "nobody"]},
    {"question": "What flows?", "options": ["the town", "the river of the old town"]},
]


def make_nlp(vocab_file, seed=0, combine="max", **model):
    torch.manual_seed(seed)
    nlp = spacy.blank("en")
    block = {"@architectures": "spacy-bigbird.MultipleChoice.v1", "vocab_file": str(vocab_file)}
    config = {"combine": combine, "model": {**block, "transformer_config": TINY, **model}}
    nlp.add_pipe("bigbird_multiple_choice", config=config)
    nlp.initialize()
    with torch.no_grad():
        # The initial scale of the weights gives all options nearly the same logit.
        nlp.get_pipe("bigbird_multiple_choice").shim.module.classifier.weight.normal_(0, 2.0)
    return nlp


def asked(nlp, text, choices):
    doc = nlp.make_doc(text)
    doc._.choices = choices
    return doc


def example(nlp, text, choices):
    shown = [{key: value for key, value in choice.items() if key != "answer"} for choice in choices]
    return Example(asked(nlp, text, shown), asked(nlp, text, choices))


def expected_logits(component, text, choice, combine):
    """Logit per option, every window alone."""
    shim = component.shim
    maker = QuestionTokenizer(shim.tokenizer, TINY["max_position_embeddings"])
    (document,) = maker.pieces([text])
    logits = []
    for option in choice["options"]:
        (pieces,) = maker.questions([f"{choice['question']} {option}"])
        windows = maker.windows(pieces, document)
        assert len(text) < 60 or len(windows) > 2
        logits.append(combine([float(component.model.predict(pack([window]))[0, 0]) for window in windows]))
    return logits


@pytest.mark.parametrize("combine", ["max", "mean"])
@pytest.mark.parametrize("max_batch_pieces", [1, 10**6])
def test_windows_are_combined_and_options_compared(vocab_file, combine, max_batch_pieces):
    nlp = make_nlp(vocab_file, combine=combine, max_batch_pieces=max_batch_pieces)
    component = nlp.get_pipe("bigbird_multiple_choice")
    docs = [asked(nlp, TEXT, CHOICES), nlp.make_doc(TEXT), asked(nlp, "Short.", CHOICES[:1])]
    docs = list(nlp.pipe(docs))
    assert docs[1]._.choice_answers == []
    for doc in (docs[0], docs[2]):
        for choice, answer in zip(doc._.choices, doc._.choice_answers, strict=True):
            logits = np.asarray(expected_logits(component, doc.text, choice, {"max": max, "mean": np.mean}[combine]))
            probabilities = np.exp(logits) / np.exp(logits).sum()
            assert answer["probabilities"] == pytest.approx(probabilities.tolist(), abs=1e-4)
            assert answer["index"] == int(np.argmax(answer["probabilities"]))


@pytest.mark.parametrize("combine", ["max", "mean"])
def test_the_gradient_is_that_of_the_combined_cross_entropy(vocab_file, combine):
    nlp = make_nlp(vocab_file, combine=combine)
    component = nlp.get_pipe("bigbird_multiple_choice")
    choices = [{**CHOICES[0], "answer": 1}]
    inputs = list(component._inputs([TEXT], [choices]))
    keys = [key for key, _ in inputs]
    values = torch.randn(len(keys), generator=torch.Generator().manual_seed(5), dtype=torch.float64, requires_grad=True)
    rows = [[row for row, key in enumerate(keys) if key[2] == option] for option in range(3)]
    combined = [values[r].max() if combine == "max" else values[r].mean() for r in rows]
    expected = torch.nn.functional.cross_entropy(torch.stack(combined)[None], torch.tensor([1]))
    expected.backward()
    loss, gradient = component._loss([choices], keys, values.detach().numpy())
    assert loss == pytest.approx(expected.item())
    np.testing.assert_allclose(gradient, values.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize("combine", ["max", "mean"])
def test_gradients_do_not_depend_on_the_micro_batch(vocab_file, combine):
    gradients = []
    for max_batch_pieces in (1, 10**6):
        nlp = make_nlp(vocab_file, combine=combine, max_batch_pieces=max_batch_pieces)
        examples = [example(nlp, TEXT, [{**CHOICES[0], "answer": 0}, {**CHOICES[1], "answer": 1}])]
        component = nlp.get_pipe("bigbird_multiple_choice")
        loss = component.update(examples)["bigbird_multiple_choice"]
        parameters = component.shim.module.parameters()
        gradients.append([loss, *(p.grad.abs().sum().item() for p in parameters if p.grad is not None)])
    assert len(gradients[0]) > 10
    assert gradients[0] == pytest.approx(gradients[1], rel=1e-3, abs=1e-5)


def test_overfits_and_comes_back(vocab_file, tmp_path):
    nlp = make_nlp(vocab_file, seed=1)
    text = "The court of the city held that both parties agree. " * 2
    choices = [{**CHOICES[0], "answer": 2}, {**CHOICES[1], "answer": 0}]
    examples = [example(nlp, text, choices), example(nlp, "Short.", [{**CHOICES[0], "answer": 1}])]
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.003
    losses = []
    for _ in range(40):
        losses.append(nlp.update(examples, sgd=optimizer)["bigbird_multiple_choice"])
    assert losses[-1] < 0.1 < losses[0]
    assert nlp.evaluate(examples)["choice_accuracy"] == 1.0
    expected = nlp(asked(nlp, text, CHOICES))._.choice_answers
    assert [answer["index"] for answer in expected] == [2, 0]
    nlp.to_disk(tmp_path)
    for again in (spacy.load(tmp_path), pickle.loads(pickle.dumps(nlp))):
        assert again(asked(again, text, CHOICES))._.choice_answers == expected
    doc = nlp(asked(nlp, text, CHOICES))
    (stored,) = DocBin(docs=[doc], store_user_data=True).get_docs(nlp.vocab)
    assert [answer["index"] for answer in stored._.choice_answers] == [2, 0]


def test_odd_choices_have_defined_answers_and_wrong_ones_are_errors(vocab_file):
    nlp = make_nlp(vocab_file)
    for text in ("", " \n", TEXT):
        odd = [{"question": "", "options": []}, {"question": "?", "options": [""]}, CHOICES[0]]
        answers = nlp(asked(nlp, text, odd))._.choice_answers
        assert answers[0] == {"index": None, "probabilities": []}
        assert answers[1] == {"index": 0, "probabilities": [1.0]}
        assert sum(answers[2]["probabilities"]) == pytest.approx(1.0)
    assert nlp(nlp.make_doc(TEXT))._.choice_answers == []
    for wrong in (
        "Who?",
        [{"question": "Who?"}],
        [{"question": 1, "options": []}],
        [{"question": "?", "options": "ab"}],
    ):
        with pytest.raises(ValueError, match="BB244"):
            nlp(asked(nlp, TEXT, wrong))
    with pytest.raises(ValueError, match="BB244"):
        nlp.update([example(nlp, TEXT, [{**CHOICES[0], "answer": 3}])])
    with pytest.raises(ValueError, match=r"BB200.*combine = 'sum'"):
        make_nlp(vocab_file, combine="sum")
    assert nlp.update([example(nlp, TEXT, CHOICES)]) == {"bigbird_multiple_choice": 0.0}


def test_logits_of_an_imported_checkpoint_equal_those_of_transformers(vocab_file, tmp_path):
    names = "MultipleChoice", "spacy-bigbird.MultipleChoice.v1", "bigbird_multiple_choice"
    theirs, nlp = import_checkpoint(*names, vocab_file, tmp_path)
    component = nlp.get_pipe("bigbird_multiple_choice")
    windows = [window for _, window in component._inputs([TEXT], [CHOICES[:1]])]
    ours = component.model.predict(pack(windows))[:, 0]
    for window, logit in zip(windows, ours, strict=True):
        with torch.no_grad():
            ids = torch.as_tensor(window.ids).long()[None, None]
            expected = theirs(ids, token_type_ids=torch.as_tensor(window.token_type_ids).long()[None, None]).logits
        assert float(logit) == pytest.approx(expected.item(), abs=1e-5)
