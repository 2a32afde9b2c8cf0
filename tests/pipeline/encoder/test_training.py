"""Training: gradients reach the encoder whichever component answers last, and nobody else's weights move."""

import numpy
import pytest
import spacy
import torch
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import fix_random_seed
from thinc.api import Adam

from spacy_bigbird.thinc_layers.encoder_wrapper import get_shim

from ...toy_pipelines import (
    SENTENCES,
    add_head,
    encoder_model,
    encoder_weights,
    make_examples,
    rows_of,
)
from .toy_trainings import HEADS, finish, initialized, train, warmed_up


def stock_pipeline(vocab_file, heads=HEADS):
    """The same encoder inside spacy-transformers' own component."""
    fix_random_seed(0)
    nlp = spacy.blank("en")
    nlp.add_pipe("transformer", config={"model": encoder_model(vocab_file)})
    for head in heads:
        add_head(nlp, head)
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    return warmed_up(nlp, examples)


@pytest.mark.parametrize(("exclude", "accumulate"), [((), 1), ((), 2), (("ner",), 1)])
def test_where_the_stock_protocol_works_ours_is_the_same(vocab_file, exclude, accumulate):
    stock_losses, stock_change = train(*stock_pipeline(vocab_file), exclude, accumulate)
    losses, change = train(*initialized(vocab_file, odd=False), exclude, accumulate)
    assert abs(change).max() > 1e-3
    numpy.testing.assert_allclose(change, stock_change, atol=1e-6)
    for name in set(HEADS).difference(exclude):
        assert losses[name] == pytest.approx(stock_losses[name], rel=1e-4)


def test_the_loss_of_the_encoder_is_the_norm_of_the_gradient_it_receives(vocab_file):
    """Stock spacy-transformers adds up squares, which are 0.00 in the table of `spacy train`."""
    nlp, examples = initialized(vocab_file, ("tagger",))
    model, gradients = nlp.get_pipe("bigbird").model, []
    encode = model._func

    def keeping(model, docs, is_train):
        batch, backprop = encode(model, docs, is_train)
        return batch, lambda d_batch: gradients.extend(d_batch.gradient) or backprop(d_batch)

    model.replace_callbacks(keeping, init=model.init)
    losses = nlp.update(examples, sgd=False)
    expected = numpy.linalg.norm(numpy.concatenate([gradient.rows.ravel() for gradient in gradients]))
    assert losses["bigbird"] == pytest.approx(expected, rel=1e-5) and expected > 0.005
    # Of two batches, the norms are added.
    again = nlp.update(examples, sgd=False, losses=dict(losses))["bigbird"]
    assert again == pytest.approx(2 * losses["bigbird"], rel=0.01)


@pytest.mark.parametrize("exclude", [("senter",), ("tagger", "senter"), ("ner",), ("ner", "senter")])
def test_a_frozen_component_keeps_nobody_from_learning(vocab_file, exclude):
    nlp, examples = initialized(vocab_file)
    frozen = [nlp.get_pipe(name).model.to_bytes() for name in exclude]
    _, change = train(nlp, examples, exclude)
    assert abs(change).max() > 1e-3
    assert [nlp.get_pipe(name).model.to_bytes() for name in exclude] == frozen


def test_the_gradient_is_that_of_the_components_that_answer(vocab_file):
    _, with_frozen = train(*initialized(vocab_file), exclude=("senter",))
    nlp, examples = initialized(vocab_file)
    nlp.remove_pipe("senter")
    _, without = train(nlp, examples)
    numpy.testing.assert_allclose(with_frozen, without, atol=1e-6)


def test_a_disabled_component_keeps_nobody_from_learning(vocab_file):
    nlp, examples = initialized(vocab_file)
    with nlp.select_pipes(disable=["senter"]):
        _, change = train(nlp, examples)
    assert abs(change).max() > 1e-3


def test_only_frozen_readers_train_nothing(vocab_file):
    nlp, examples = initialized(vocab_file)
    _, change = train(nlp, examples, exclude=HEADS)
    assert not change.any()


def test_update_with_an_optimizer_moves_the_encoder_in_the_same_call(vocab_file):
    nlp, examples = initialized(vocab_file)
    _, expected = train(nlp, examples, steps=1)
    nlp, examples = initialized(vocab_file)
    before = encoder_weights(nlp)
    nlp.update(examples, sgd=Adam(0.005))
    numpy.testing.assert_allclose(encoder_weights(nlp) - before, expected, atol=1e-6)


def test_update_with_an_optimizer_and_a_frozen_last_component(vocab_file):
    nlp, examples = initialized(vocab_file)
    before = encoder_weights(nlp)
    nlp.update(examples, sgd=Adam(0.005), exclude=["senter"])
    assert (encoder_weights(nlp) == before).all()
    rows_of(nlp("tea"))
    assert abs(encoder_weights(nlp) - before).max() > 1e-3


def test_finish_without_a_new_gradient_moves_nothing(vocab_file):
    nlp, examples = initialized(vocab_file)
    optimizer = Adam(0.005)
    nlp.update(examples, sgd=False)
    finish(nlp, optimizer)
    before = encoder_weights(nlp)
    for _ in range(3):
        finish(nlp, optimizer)
    assert (encoder_weights(nlp) == before).all()


def test_frozen_and_annotating_encoder(vocab_file):
    nlp, examples = initialized(vocab_file)
    before = nlp.get_pipe("tagger").model.to_bytes()
    _, change = train(nlp, examples, exclude=("bigbird",), annotates=("bigbird",))
    assert not change.any()
    assert nlp.get_pipe("tagger").model.to_bytes() != before


@pytest.mark.parametrize("keep_vectors", ["float32", "float16", "none"])
def test_frozen_and_annotating_learns_the_same_whatever_is_kept(vocab_file, keep_vectors):
    losses = []
    for keep in ("float32", keep_vectors):
        nlp, examples = initialized(vocab_file, keep_vectors=keep)
        losses.append(train(nlp, examples, exclude=("bigbird",), annotates=("bigbird",))[0])
    assert losses[0] == losses[1]


def test_frozen_without_annotating_is_an_error(vocab_file):
    nlp, examples = initialized(vocab_file)
    with pytest.raises(ValueError, match="E203"):
        nlp.update(examples, sgd=False, exclude=["bigbird"])


def test_trained_and_annotating_encoder(vocab_file):
    _, expected = train(*initialized(vocab_file))
    nlp, examples = initialized(vocab_file)
    _, change = train(nlp, examples, annotates=("bigbird", "tagger"))
    numpy.testing.assert_allclose(change, expected, atol=1e-6)


@pytest.mark.parametrize("max_batch_pieces", [1, 60, 200])
def test_micro_batches_do_not_change_training(vocab_file, max_batch_pieces):
    sentence, tags = SENTENCES[1]

    def run(**settings):
        nlp, examples = initialized(vocab_file, ("tagger",), **settings)
        doc = Doc(nlp.vocab, words=sentence.split() * 30)
        examples.append(Example.from_dict(doc, {"tags": tags * 30}))
        losses = nlp.update(examples, sgd=False)
        parameters = nlp.get_pipe("bigbird").shim.module.parameters()
        return losses, torch.cat([p.grad.ravel() for p in parameters]).numpy()

    losses, expected = run()
    found_losses, found = run(max_batch_pieces=max_batch_pieces)
    assert abs(expected).max() > 1e-3
    numpy.testing.assert_allclose(found, expected, atol=1e-5 * abs(expected).max())
    assert found_losses == pytest.approx(losses, rel=1e-5)


@pytest.mark.parametrize("texts", [[""], ["", ""], ["\n" * 5000], [" ", "", "\n"]])
def test_a_batch_of_nothing_but_odd_documents(vocab_file, texts):
    nlp, examples = initialized(vocab_file)
    odd = [Example.from_dict(nlp.make_doc(text), {"cats": {"TRAVEL": 1.0, "OTHER": 0.0}}) for text in texts]
    nlp.update(odd, sgd=Adam(0.005))
    finish(nlp, Adam(0.005))
    _, change = train(nlp, examples, steps=1)
    assert numpy.isfinite(change).all() and abs(change).max() > 1e-3


def test_odd_documents_give_no_gradient_to_others(vocab_file):
    """The encoder's gradient is the same with and without documents that have no pieces."""
    found = []
    for odd in (False, True):
        nlp, examples = initialized(vocab_file, ("tagger",))
        module = nlp.get_pipe("bigbird").shim.module
        keep = [eg for eg in examples if eg.predicted.text.strip()]
        empty = [eg for eg in examples if not eg.predicted.text.strip()]
        assert len(empty) >= 3
        nlp.update([*empty[:1], *keep, *empty[1:]] if odd else keep, sgd=False)
        found.append(torch.cat([p.grad.ravel() for p in module.parameters()]).numpy())
    numpy.testing.assert_allclose(found[1], found[0], atol=1e-5 * abs(found[0]).max())


def test_frozen_layers_and_decay_through_the_config(vocab_file):
    nlp, examples = initialized(vocab_file, freeze_layers=1, layer_learning_rate_decay=0.5)
    module = nlp.get_pipe("bigbird").shim.module
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    train(nlp, examples)
    moved = {name for name, p in module.named_parameters() if not torch.equal(p, before[name])}
    assert moved and all(name.startswith("encoder.layers.1.") for name in moved)


def test_two_encoders_do_not_share_an_optimizers_state(vocab_file):
    nlp, examples = initialized(vocab_file, ("tagger", "ner"))
    nlp.replace_listeners("bigbird", "tagger", ["model.tok2vec"])
    shims = [nlp.get_pipe("bigbird").shim, get_shim(nlp.get_pipe("tagger").model)]
    assert shims[0].id != shims[1].id
    optimizer = Adam(0.005)
    nlp.update(examples, sgd=optimizer)
    owners = {owner for owner, name in optimizer.mom1 if "word_embeddings" in name}
    assert owners == {shim.id for shim in shims}
    updates = {key: number for key, number in optimizer.nr_update.items() if "word_embeddings" in key[1]}
    assert set(updates.values()) == {1}


def test_same_seed_same_training(vocab_file):
    (first_losses, first), (second_losses, second) = (train(*initialized(vocab_file)) for _ in range(2))
    assert first_losses == second_losses
    numpy.testing.assert_array_equal(first, second)
