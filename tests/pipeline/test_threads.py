"""Several threads whose first calls come at once: a loaded pipeline is ready to predict, however it was loaded."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import numpy
import pytest
import spacy

from ..toy_pipelines import make_examples, make_pipeline, rows_of
from ..toy_questions import QUESTIONS, TEXT, TINY, make_nlp

DROPOUT = {"hidden_dropout_prob": 0.5, "attention_probs_dropout_prob": 0.5}
THREADS = 8


@pytest.fixture(scope="module")
def trained(vocab_file):
    """A pipeline that was just trained, as is its encoder's mode."""
    nlp = make_pipeline(vocab_file, ("tagger",), transformer_config=DROPOUT)
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    nlp.update(examples, sgd=optimizer)
    assert nlp.get_pipe("bigbird").shim.module.training
    return nlp


@pytest.fixture(scope="module")
def answering(vocab_file):
    return make_nlp(vocab_file, transformer_config={**TINY, **DROPOUT})


def from_disk(nlp, folder):
    nlp.to_disk(folder)
    return spacy.load(folder)


def from_disk_with_other_settings(nlp, folder):
    nlp.to_disk(folder)
    (name,) = [name for name in nlp.pipe_names if name.startswith("bigbird")]
    config = {**nlp.config["components"][name]["model"]["transformer_config"], "random_pattern": "none"}
    return spacy.load(folder, config={f"components.{name}.model.transformer_config": config})


def from_bytes(nlp, folder):
    return spacy.blank("en").from_config(nlp.config).from_bytes(nlp.to_bytes())


def from_source(nlp, folder):
    other = spacy.blank("en")
    for name in nlp.pipe_names:
        other.add_pipe(name, source=from_bytes(nlp, folder))
    return other


def initialized_with_an_override(nlp, folder):
    """The checkpoint of a saved pipeline, with settings of its own."""
    nlp.to_disk(folder)
    (name,) = [name for name in nlp.pipe_names if name.startswith("bigbird")]
    other = spacy.blank("en")
    model = {"@architectures": nlp.config["components"][name]["model"]["@architectures"], "name": str(folder / name)}
    other.add_pipe(name, config={"model": {**model, "transformer_config": {"random_pattern": "none"}}})
    other.initialize()
    return other


WAYS = [
    from_disk,
    from_disk_with_other_settings,
    from_bytes,
    from_source,
    initialized_with_an_override,
    lambda nlp, folder: pickle.loads(pickle.dumps(nlp)),
    lambda nlp, folder: copy.deepcopy(nlp),
]
NAMES = ["disk", "settings", "bytes", "source", "override", "pickle", "deepcopy"]


def at_once(*calls):
    """The results of as many first calls as there are threads, in turn one of each kind."""
    barrier = Barrier(THREADS)

    def run(number):
        barrier.wait()
        return calls[number % len(calls)]()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def modules_of(nlp):
    return [module for _, pipe in nlp.pipeline if hasattr(pipe, "shim") for module in pipe.shim.module.modules()]


@pytest.mark.parametrize("load", WAYS, ids=NAMES)
def test_first_predictions_are_without_dropout(trained, tmp_path, load):
    nlp = load(trained, tmp_path / "pipeline")
    assert not any(module.training for module in modules_of(nlp))
    text = "They sell old books . " * 12
    results = at_once(lambda: rows_of(nlp(text)), lambda: rows_of(next(nlp.pipe([text]))))
    expected = rows_of(nlp(text))
    for rows in results:
        numpy.testing.assert_allclose(rows, expected, atol=1e-5)


@pytest.mark.parametrize("load", WAYS, ids=NAMES)
def test_first_answers_are_without_dropout(answering, tmp_path, load):
    nlp = load(answering, tmp_path / "pipeline")
    assert not any(module.training for module in modules_of(nlp))
    component = nlp.get_pipe("bigbird_span_qa")

    def ask():
        return [answer.logit for answer in component.ask(nlp.make_doc(TEXT), QUESTIONS)]

    results = at_once(ask)
    expected = ask()
    for logits in results:
        assert logits == pytest.approx(expected, abs=1e-5)


def test_nobody_computes_while_the_mode_changes(trained, monkeypatch):
    """After a training, the first prediction changes the mode: the other threads wait until all layers have changed."""
    nlp = pickle.loads(pickle.dumps(trained))
    last = nlp.get_pipe("bigbird").shim.module.train().encoder.layers[-1]
    computing, too_early, train = Event(), [], last.train
    last.register_forward_pre_hook(lambda *_: computing.set())

    def slow_train(mode=True):
        too_early.append(computing.wait(1.0))
        return train(mode)

    monkeypatch.setattr(last, "train", slow_train)
    at_once(lambda: nlp("They sell old books ."))
    assert too_early == [False]
