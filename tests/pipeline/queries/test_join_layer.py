"""Questions that meet their document in the upper layers only: the same as a plain computation, once per document."""

import pickle

import numpy as np
import pytest
import spacy
import torch
from spacy.training import Example

from spacy_bigbird.model.attention.engines.reference import key_counts, reference_attention
from spacy_bigbird.plan.packing import plan_packing
from spacy_bigbird.thinc_layers.question_windows import window_span_loss
from spacy_bigbird.thinc_layers.types import JoinedPieces
from tests.toy_questions import QUESTIONS, TEXT, TINY, asked, make_nlp

HEAD = "bigbird_span_qa"
DEEP = {**TINY, "num_hidden_layers": 3}
ARTICLES = [TEXT, "Short.", TEXT[:120], TEXT[7:80]]


def joined(vocab_file, join_layer=1, **model):
    nlp = make_nlp(vocab_file, **{"transformer_config": DEEP, "join_layer": join_layer, **model})
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        # Weights as small as those at the start would hide differences.
        for weight in nlp.get_pipe(HEAD).shim.module.parameters():
            weight += torch.randn(weight.shape, generator=generator) * 0.1
    return nlp


def plain(module, join_layer, question, document):
    """Logits by dense attention with an explicit table of what sees what. Shape: (pieces of the document, 2)."""
    model, config = module.bigbird, module.config
    split = len(question)
    ids = torch.cat([question, document])
    positions = torch.cat([torch.arange(split), torch.arange(len(document))])
    hidden = model.embeddings(ids, positions, (torch.arange(len(ids)) >= split).long())
    blocks = plan_packing([len(document)], config).pattern_blocks[0]
    last = config.num_hidden_layers - 1
    for number, layer in enumerate(model.encoder.layers):
        counts = torch.zeros(config.num_attention_heads, len(ids), len(ids))
        counts[:, :split, :split] = 1
        counts[:, split:, split:] = key_counts(config, number, len(document), blocks)
        if number >= join_layer:
            counts[:, :split, split:] = 1
        if number == last:
            counts[:, split:, :split] = 1
        query, key, value = (
            layer.attention.query_key_value(hidden)
            .unflatten(1, (3, config.num_attention_heads, -1))
            .permute(1, 2, 0, 3)
        )
        context, _ = reference_attention(query, key, value, counts)
        hidden = layer.attention_norm(layer.attention.output(context.transpose(0, 1).flatten(1)) + hidden)
        hidden = layer.feed_forward_norm(layer.feed_forward(hidden) + hidden)
    head = module.qa_head
    return head.qa_outputs(head.layer_norm(torch.cat([hidden[:1], hidden[split + 1 :]])))


def inputs_of(component, texts, questions, training=False):
    """All of the model's inputs for all questions about all texts, keyed by text and question."""
    tokenizer = component.question_tokenizer()
    pieces = tokenizer.questions(questions)
    to_ask = [
        ((number, place), question, document)
        for number, document in enumerate(tokenizer.pieces(texts))
        for place, question in enumerate(pieces)
    ]
    return list(component._batches(to_ask, tokenizer, training))


def sequences(inputs):
    """The question and the document of each part of an input."""
    questions, documents = (
        torch.as_tensor(part.ids).long().split(list(part.lengths)) for part in (inputs.questions, inputs.documents)
    )
    return [(question, documents[number]) for question, number in zip(questions, inputs.asked, strict=True)]


def places(answers):
    return [(answer.text, answer.start_char, answer.end_char) for answer in answers]


# By value


@pytest.mark.parametrize("max_batch_pieces", [1, 100, 10**6])
@pytest.mark.parametrize("join_layer", [1, 2])
def test_logits_equal_a_plain_computation(vocab_file, join_layer, max_batch_pieces):
    component = joined(vocab_file, join_layer, max_batch_pieces=max_batch_pieces).get_pipe(HEAD)
    batches = inputs_of(component, ARTICLES, QUESTIONS)
    lengths = [length for inputs, _ in batches for length in inputs.documents.lengths]
    assert min(lengths) <= TINY["full_attention_up_to"] < max(lengths), "dense and sparse"
    for inputs, _ in batches:
        with torch.no_grad():
            expected = torch.cat([plain(component.shim.module, join_layer, *pair) for pair in sequences(inputs)])
        np.testing.assert_allclose(component.model.predict(inputs), expected, atol=2e-5)


@pytest.mark.parametrize("max_batch_pieces", [50, 10**6])
def test_gradients_equal_those_of_a_plain_computation(vocab_file, max_batch_pieces):
    component = joined(vocab_file, max_batch_pieces=max_batch_pieces).get_pipe(HEAD)
    module = component.shim.module
    batches = inputs_of(component, ARTICLES, QUESTIONS, training=True)
    expected = torch.tensor(0.0)
    for inputs, _ in batches:
        logits, backprop = component.model.begin_update(inputs)
        backprop(component.model.ops.asarray(np.cos(logits)))
    found = {name: weight.grad.clone() for name, weight in module.named_parameters() if weight.grad is not None}
    module.zero_grad()
    for inputs, _ in batches:
        expected = expected + sum(plain(module, 1, *pair).sin().sum() for pair in sequences(inputs))
    expected.backward()
    for name, weight in module.named_parameters():
        if weight.grad is None:
            assert name.startswith("qa_head."), "only the head's feed-forward part is left out"
        else:
            assert (found[name] - weight.grad).norm() <= 1e-4 * weight.grad.norm() + 1e-5, name


# Once for each document


def test_a_document_is_encoded_once_for_all_its_questions(vocab_file, monkeypatch):
    nlp = joined(vocab_file, max_batch_pieces=200)
    component = nlp.get_pipe(HEAD)
    encoder, calls = component.shim.module.bigbird, []
    forward = encoder.forward_packed

    def counted(ids, lengths, token_type_ids=None, *args, **kwargs):
        if token_type_ids is not None:
            calls.extend(lengths)
        return forward(ids, lengths, token_type_ids, *args, **kwargs)

    monkeypatch.setattr(encoder, "forward_packed", counted)
    docs = [asked(nlp, text, [f"Which of the {number} parties?" for number in range(9)]) for text in ARTICLES[:2]]
    list(nlp.pipe(docs))
    tokenizer = component.question_tokenizer()
    windows = [tokenizer.document_windows(pieces) for pieces in tokenizer.pieces(ARTICLES[:2])]
    assert len(windows[0]) > 1
    assert calls == [len(window.ids) for of_text in windows for window in of_text]


@pytest.mark.parametrize("max_batch_pieces", [1, 60, 10**6])
def test_neither_other_questions_nor_the_batch_matter(vocab_file, max_batch_pieces):
    nlp, other = joined(vocab_file), joined(vocab_file, max_batch_pieces=max_batch_pieces)
    questions = [f"Which of the {number} parties?" for number in range(8)]
    alone = [nlp.get_pipe(HEAD).ask(nlp.make_doc(TEXT), text)[0] for text in questions]
    docs = [asked(other, "Short.", ["Who?"]), asked(other, TEXT, questions), asked(other, TEXT[:90], ["Who?"])]
    together = list(other.pipe(docs))[1]._.answers
    assert places(together) == places(alone)
    for one, two in zip(together, alone, strict=True):
        assert [one.logit, one.null_logit, one.score] == pytest.approx([two.logit, two.null_logit, two.score], abs=1e-4)


def test_limits_hold_in_training_and_in_prediction(vocab_file):
    component = joined(vocab_file, max_batch_pieces=100).get_pipe(HEAD)
    questions = ["Who?"] * 7
    for inputs, group in inputs_of(component, ARTICLES, questions, training=True):
        assert isinstance(inputs, JoinedPieces)
        assert len(group) == len(inputs.asked) == len(inputs.questions.lengths)
        # Two layers of the document are kept, and the states of every question about it.
        assert max(2 * sum(inputs.documents.lengths), sum(len(window.ids) for _, window in group)) <= 100
    batches = inputs_of(component, ARTICLES, questions)
    assert sum(len(inputs.documents.lengths) for inputs, _ in batches) == sum(
        len(component.question_tokenizer().document_windows(pieces))
        for pieces in component.question_tokenizer().pieces(ARTICLES)
    )


# Answers


@pytest.mark.parametrize("overlap", [None, 9])
def test_a_planted_answer_is_found_at_every_offset_around_a_window_edge(vocab_file, monkeypatch, overlap):
    nlp = joined(vocab_file, overlap=overlap)
    component = nlp.get_pipe(HEAD)
    answer = "both parties"
    wanted = component.shim.tokenizer.text_pieces([answer])[0].ids.tolist()

    def encode(inputs):
        rows = []
        for _, document in sequences(inputs):
            logits = torch.zeros(len(document), 2)
            for place in range(len(document)):
                if document[place : place + len(wanted)].tolist() == wanted:
                    logits[place, 0] = logits[place + len(wanted) - 1, 1] = 5.0
            rows.append(logits)
        return torch.cat(rows)

    monkeypatch.setattr(component.shim, "_encode", encode)
    for before in range(0, 60, 3 if overlap else 1):
        text = "the " * before + answer + " of" * (70 - before)
        doc = nlp(asked(nlp, text, ["Who?", "Where?"]))
        assert places(doc._.answers) == [(answer, 4 * before, 4 * before + len(answer))] * 2
        assert doc._.answers[0].logit == 10.0


@pytest.mark.parametrize("text", ["", " ", "Paris", "\u200b"])
@pytest.mark.parametrize("questions", [None, [""], ["Who?", ""], ["Who? " * 50]])
@pytest.mark.filterwarnings("ignore:.*BW240")
def test_odd_questions_and_documents_have_defined_answers(vocab_file, text, questions):
    nlp = joined(vocab_file)
    doc = nlp(asked(nlp, text, questions))
    assert [answer.question for answer in doc._.answers] == (questions or [])
    for answer in doc._.answers:
        assert doc.text[answer.start_char : answer.end_char] == answer.text


# Training and saving


def examples_of(nlp):
    gold = [
        ("The court held that both parties agree.", "Who agrees?", ("both parties", 20)),
        ("The river flows through the old town.", "What flows?", ("The river", 0)),
        ("The river flows through the old town.", "Where?", ("the old town", 24)),
        ("The court of the city is large.", "Who was born?", None),
    ]
    examples = []
    for text, question, answer in gold:
        answers = [{"text": answer[0], "answer_start": answer[1]}] if answer else []
        reference = asked(nlp, text, [{"question": question, "answers": answers, "is_impossible": not answers}])
        examples.append(Example(asked(nlp, text, [question]), reference))
    return examples


def test_overfits_and_comes_back(vocab_file, tmp_path):
    # From weights near zero, two questions about one text take long to be told apart.
    config = {**DEEP, "num_hidden_layers": 2, "initializer_range": 0.2}
    nlp = make_nlp(vocab_file, 1, transformer_config=config, join_layer=1)
    examples = examples_of(nlp)
    optimizer = nlp.create_optimizer()
    optimizer.learn_rate = 0.005
    for _ in range(25):
        losses = nlp.update(examples, sgd=optimizer)
    assert losses[HEAD] < 0.1
    assert nlp.evaluate(examples)["qa_exact"] == 1.0
    expected = nlp(asked(nlp, TEXT, QUESTIONS))._.answers
    nlp.to_disk(tmp_path)
    from_bytes = make_nlp(vocab_file, 2, transformer_config=config, join_layer=1).from_bytes(nlp.to_bytes())
    for again in (spacy.load(tmp_path), from_bytes, pickle.loads(pickle.dumps(nlp))):
        assert again(asked(again, TEXT, QUESTIONS))._.answers == expected
    together = spacy.load(tmp_path, config={"components": {HEAD: {"model": {"join_layer": None}}}})
    assert together(asked(together, TEXT, QUESTIONS))._.answers != expected


@pytest.mark.parametrize("freeze_layers", [0, 1, 2])
def test_only_what_is_frozen_or_unused_stays(vocab_file, freeze_layers):
    nlp = joined(vocab_file, freeze_layers=freeze_layers)
    module = nlp.get_pipe(HEAD).shim.module
    before = {name: value.clone() for name, value in module.state_dict().items()}
    nlp.update(examples_of(nlp), sgd=nlp.create_optimizer())
    stays = [f"bigbird.encoder.layers.{number}." for number in range(freeze_layers)]
    stays += ["bigbird.embeddings."] if freeze_layers else []
    for name, value in module.state_dict().items():
        unused = name.startswith(("qa_head.intermediate", "qa_head.output"))
        assert torch.equal(value, before[name]) == (unused or name.startswith(tuple(stays))), name


def test_the_loss_is_the_mean_over_questions_and_windows(vocab_file):
    losses = []
    for max_batch_pieces in (40, 10**6):
        nlp = joined(vocab_file, max_batch_pieces=max_batch_pieces)
        component = nlp.get_pipe(HEAD)
        gold = {"question": "Who?", "answers": [{"text": "both parties", "answer_start": TEXT.index("both")}]}
        example = Example(nlp.make_doc(TEXT), asked(nlp, TEXT, [gold] * 3))
        losses.append(component.update([example])[HEAD])
    found = []
    for inputs, group in inputs_of(component, [TEXT], ["Who?"]):
        logits, start = component.model.predict(inputs), 0
        pieces = component.question_tokenizer().pieces([TEXT])[0]
        first = int(np.flatnonzero(pieces.offsets[:, 0] == TEXT.index("both"))[0])
        last = int(np.flatnonzero(pieces.offsets[:, 1] == TEXT.index("both") + len("both parties"))[0])
        for _, window in group:
            found.append(window_span_loss(logits[start : start + len(window.ids)], window, [(first, last)])[0])
            start += len(window.ids)
    assert len(found) > 1
    assert losses == pytest.approx([np.mean(found)] * 2, rel=1e-4)


@pytest.mark.parametrize("join_layer", [-1, 0, 3, 12])
def test_layers_that_do_not_exist_are_refused(vocab_file, join_layer):
    with pytest.raises(ValueError, match=r"BB135.*join_layer = "):
        make_nlp(vocab_file, transformer_config=DEEP, join_layer=join_layer)


def test_other_engines_and_bf16_give_the_same_answers(vocab_file):
    expected = joined(vocab_file).get_pipe(HEAD)
    doc = joined(vocab_file).make_doc(TEXT)
    logits = [answer.logit for answer in expected.ask(doc, QUESTIONS)]
    for more, tolerance in (({"attention_engine": "torch"}, 1e-4), ({"precision": "bf16"}, 0.3)):
        answers = joined(vocab_file, **more).get_pipe(HEAD).ask(doc, QUESTIONS)
        assert [answer.logit for answer in answers] == pytest.approx(logits, rel=tolerance, abs=tolerance)
