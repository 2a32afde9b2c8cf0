"""Listeners that read chosen layers or a learned mean, against one autograd graph."""

from types import SimpleNamespace

import numpy
import pytest
import spacy
import torch
from spacy.training import Example

from spacy_bigbird.thinc_layers.layer_choice import all_layers, checked_choice
from spacy_bigbird.thinc_layers.layer_mix import layer_mix
from spacy_bigbird.thinc_layers.listener import piece_listener
from spacy_bigbird.thinc_layers.types import PieceRows
from tests.toy_pipelines import TINY_ENCODER, add_head, make_examples, make_pipeline, own_encoder

TEXTS = ["Anna met Boris in London .", "They sell old books ."]
LONG = ["Anna met Boris in London . " * 20, "They sell old books ."]
MIX = {"@architectures": "spacy-bigbird.LayerMix.v1", "upstream": "*"}


@pytest.fixture
def nlp(vocab_file):
    nlp = make_pipeline(vocab_file)
    nlp.initialize()
    return nlp


def listen(nlp, *choices):
    """Listeners to the pipeline's encoder, one for each choice, as models of heads."""
    encoder = nlp.get_pipe("bigbird")
    models = [piece_listener("bigbird", 1.0, choice) for choice in choices]
    for number, model in enumerate(models):
        model.layers[0].set_dim("nO", TINY_ENCODER["hidden_size"])
        encoder.find_listeners(SimpleNamespace(name=f"head{number}", model=model))
        model.initialize()
    return encoder, models


def train(encoder, models, docs, seed=0):
    """One update with random gradients. RETURNS: the outputs of each model, and their gradients."""
    encoder.update([Example(doc, doc) for doc in docs])
    results = []
    random = numpy.random.RandomState(seed)
    calls = [model(docs, is_train=True) for model in models]
    for outputs, backprop in calls:
        gradients = [
            PieceRows(
                random.normal(size=out.rows.shape).astype("f"),
                out.align,
                random.normal(size=out.window_cls.shape).astype("f"),
                out.window_lengths,
            )
            for out in outputs
        ]
        backprop(gradients)
        results.append((outputs, gradients))
    return results


def weight_gradients(encoder):
    return {name: weight.grad.clone() for name, weight in encoder.shim.module.named_parameters()}


def combined(choice, states, mix):
    """The oracle: what a listener returns, out of every layer's states, with the weights of its mix."""
    if choice == "last":
        return states[-1]
    if choice == "mix":
        shares = torch.softmax(mix[0], 0) * mix[1]
        return sum(share * layer for share, layer in zip(shares, states, strict=True))
    return torch.cat([states[layer] for layer in choice], dim=1)


def test_values_and_gradients_are_those_of_one_graph(nlp):
    choices = ["mix", (1,), "last", (2, 0)]
    encoder, models = listen(nlp, *choices)
    mix = models[0].layers[1]
    mix.set_param("weights", numpy.array([0.5, -0.3, 0.2], dtype="f"))
    mix.set_param("factor", numpy.array([1.5], dtype="f"))
    docs = [nlp.make_doc(text) for text in TEXTS]
    results = train(encoder, models, docs)
    found = weight_gradients(encoder)

    module, tokenizer = encoder.shim.module, encoder.shim.tokenizer
    module.zero_grad()
    ids = [[tokenizer.cls_token_id, *pieces, tokenizer.sep_token_id] for pieces in tokenizer.text_ids(TEXTS)]
    lengths = [len(one) for one in ids]
    packed = torch.tensor([index for one in ids for index in one])
    states = module.forward_packed(packed, lengths, layers=(0, 1, 2)).split(TINY_ENCODER["hidden_size"], dim=1)
    weights = [torch.tensor(mix.get_param(name), requires_grad=True) for name in ("weights", "factor")]
    loss = torch.zeros(())
    for choice, (outputs, gradients) in zip(choices, results, strict=True):
        rows = combined(choice, states, weights)
        for own, out, gradient in zip(rows.split(lengths), outputs, gradients, strict=True):
            torch.testing.assert_close(torch.tensor(out.rows), own.detach(), atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(torch.tensor(out.window_cls), own[:1].detach(), atol=1e-5, rtol=1e-4)
            loss = (
                loss + (own * torch.tensor(gradient.rows)).sum() + (own[:1] * torch.tensor(gradient.window_cls)).sum()
            )
    loss.backward()
    for name, weight in module.named_parameters():
        torch.testing.assert_close(found[name], weight.grad, atol=1e-4, rtol=1e-3)
    for name, weight in zip(("weights", "factor"), weights, strict=True):
        torch.testing.assert_close(torch.tensor(mix.get_grad(name)), weight.grad, atol=1e-3, rtol=1e-3)


def test_the_last_layer_by_number_is_the_last_layer_in_several_windows(vocab_file):
    results = []
    for choice in ("last", (2,), (1, 2)):
        nlp = make_pipeline(vocab_file, max_batch_pieces=70)
        torch.manual_seed(3)
        nlp.initialize()
        encoder, models = listen(nlp, choice)
        ((outputs, gradients),) = train(encoder, models, [nlp.make_doc(text) for text in LONG])
        assert max(len(out.window_cls) for out in outputs) > 2
        results.append((outputs, gradients, weight_gradients(encoder)))
    (by_name, _, expected), (by_number, _, found), (two, _, _) = results
    for first, second, both in zip(by_name, by_number, two, strict=True):
        numpy.testing.assert_array_equal(first.rows, second.rows)
        numpy.testing.assert_array_equal(first.window_cls, second.window_cls)
        numpy.testing.assert_array_equal(first.rows, both.rows[:, TINY_ENCODER["hidden_size"] :])
    for name in expected:
        torch.testing.assert_close(found[name], expected[name])


def test_only_the_layers_that_are_read_are_kept(nlp):
    doc = nlp("Anna met Boris .")
    assert "last_hidden_state" in doc._.trf_data.model_output and "layers" not in doc._.trf_data.model_output
    encoder, _ = listen(nlp, (0,), "last")
    data = encoder(nlp.make_doc("Anna met Boris ."))._.trf_data
    assert data.model_output["layers"].tolist() == [0, 2] and encoder.shim.layers == (0, 2)
    numpy.testing.assert_array_equal(data.model_output["all_layers"][..., 32:], data.model_output["last_hidden_state"])


@pytest.mark.parametrize("layers", ["mix", [0, 1]])
def test_stock_heads_learn_and_are_saved_and_unshared(vocab_file, tmp_path, layers):
    nlp = make_pipeline(vocab_file)
    add_head(nlp, "tagger", **MIX, layers=layers)
    nlp.add_pipe(
        "bigbird_textcat",
        config={
            "model": {
                "@architectures": "spacy-bigbird.TextClassifier.v1",
                "pooling": "mean",
                "tok2vec": {"@architectures": "spacy-bigbird.PieceListener.v2", "layers": layers},
            }
        },
    )
    examples = make_examples(nlp)
    for number, example in enumerate(examples):
        example.reference.cats = {"a": float(number % 2), "b": float(1 - number % 2)}
    optimizer = nlp.initialize(lambda: examples)
    before = nlp.get_pipe("bigbird").shim.module.embeddings.word_embeddings.weight.detach().clone()
    losses = []
    for _ in range(8):
        loss = {}
        nlp.update(examples, sgd=optimizer, losses=loss)
        losses.append(loss["tagger"] + loss["bigbird_textcat"])
    assert losses[-1] < losses[0]
    assert not torch.equal(before, nlp.get_pipe("bigbird").shim.module.embeddings.word_embeddings.weight)
    text = "Anna met Boris in London ."
    expected = nlp(text)
    nlp.to_disk(tmp_path / "shared")
    loaded = spacy.load(tmp_path / "shared")
    for name in ("tagger", "bigbird_textcat"):
        loaded.replace_listeners("bigbird", name, ["model.tok2vec"])
    loaded.remove_pipe("bigbird")
    loaded.to_disk(tmp_path / "own")
    for other in (spacy.load(tmp_path / "shared"), loaded, spacy.load(tmp_path / "own")):
        doc = other(text)
        assert [token.tag_ for token in doc] == [token.tag_ for token in expected]
        assert doc.cats == pytest.approx(expected.cats, abs=1e-5)


def test_an_encoder_of_its_own(vocab_file):
    nlp = spacy.blank("en")
    nlp.add_pipe("tagger", config={"model": {"tok2vec": own_encoder(vocab_file, version=2, layers="mix")}})
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    nlp.update(examples, sgd=optimizer)
    assert nlp("Anna met Boris .")[0].tag_


def test_documents_that_nothing_has_encoded_are_zeros(nlp):
    _, (model, mixed) = listen(nlp, (0, 1), "mix")
    doc = nlp.make_doc("Anna met Boris .")
    with pytest.warns(UserWarning, match="BW130"):
        (rows,) = model.predict([doc])
    assert rows.rows.shape == (len(doc) + 2, 64) and not rows.rows.any()
    with pytest.warns(UserWarning, match="BW130"):
        (rows,) = mixed.predict([doc])
    assert rows.rows.shape == (len(doc) + 2, 32)


def test_data_of_another_encoder_is_refused(nlp):
    doc = nlp("Anna met Boris .")
    with pytest.raises(ValueError, match="BB462"):
        layer_mix((0, 1)).predict([doc._.trf_data])


@pytest.mark.parametrize("layers", ["first", [], [True], [-1], [0.5]])
def test_a_choice_is_checked(layers):
    with pytest.raises(ValueError, match="BB460"):
        checked_choice(layers)


def test_a_layer_has_to_exist(nlp):
    assert all_layers(["mix", (1,)], 2) == (0, 1, 2) and all_layers([(1,)], 2) == (1,)
    with pytest.raises(ValueError, match="BB461"):
        listen(nlp, (3,))
