"""Small trainings that stop where a test wants them to, and what to compare of them."""

import json
from io import StringIO

import numpy
import pytest
import spacy
import srsly
from spacy import util
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from thinc.api import Config

from spacy_bigbird.resume.loop import resume
from spacy_bigbird.resume.state import TrainingState, state_folder

from ..toy_pipelines import add_head, encoder_model, make_examples

RATE = {"@schedules": "warmup_linear.v1", "warmup_steps": 2, "total_steps": 9, "initial_rate": 0.01}
TRAINING = {
    "seed": 0,
    "max_steps": 7,
    "eval_frequency": 3,
    "dropout": 0.2,
    "accumulate_gradient": 2,
    "optimizer": {"@optimizers": "Adam.v1", "use_averages": False, "learn_rate": RATE},
    "batcher": {"@batchers": "spacy-bigbird.batch_by_pieces.v1", "size": 40},
    "logger": {
        "@loggers": "spacy-bigbird.ResumableLogger.v1",
        "logger": {"@loggers": "test_resume.stops.v1", "calls": None, "file": None},
    },
}
# spaCy's own layers, at a hundredth of their usual size.
TOK2VEC = {
    "@architectures": "spacy.HashEmbedCNN.v2",
    "pretrained_vectors": None,
    "width": 16,
    "depth": 1,
    "embed_size": 50,
    "window_size": 1,
    "maxout_pieces": 2,
    "subword_features": True,
}
# For trainings in which it does not matter how an encoder learns.
TOY_RATE = {"optimizer": {"learn_rate": 0.01}, "dropout": 0.0, "accumulate_gradient": 1}


class Stopped(BaseException):
    """Comes in the middle of a training, as Ctrl-C does."""


@spacy.registry.loggers("test_resume.stops.v1")
def make_stopping_logger(calls=None, file=None):
    """Notes what it is shown, and stops the training after so many steps of one process."""

    def setup(nlp, stdout=None, stderr=None):
        count = 0

        def log_step(info):
            nonlocal count
            count += 1
            if info is not None and file is not None:
                shown = {key: info[key] for key in ("step", "epoch", "score", "losses", "checkpoints", "words")}
                with open(file, "a") as stream:
                    stream.write(json.dumps(shown, default=float) + "\n")
            if count == calls:
                raise Stopped

        return log_step, lambda: None

    return setup


def make_config(vocab_file, folder, heads=("tagger",), encoder=None, **training):
    """A config with a corpus of twelve documents in the folder."""
    nlp = util.get_lang_class("xx")()
    if encoder is not None:
        nlp.add_pipe("bigbird", config={"model": encoder_model(vocab_file, **encoder)})
    for head in heads:
        add_head(nlp, head) if encoder is not None else nlp.add_pipe(head, config={"model": {"tok2vec": TOK2VEC}})
    documents = [example.reference for example in make_examples(nlp)]
    folder.mkdir(exist_ok=True)
    DocBin(docs=documents * 3).to_disk(folder / "corpus.spacy")
    paths = {"train": str(folder / "corpus.spacy"), "dev": str(folder / "corpus.spacy")}
    config = nlp.config.merge({"paths": paths, "training": TRAINING})
    return Config(config.merge({"training": training})) if training else Config(config)


def changed(config, **training):
    return Config(config.copy().merge({"training": training}))


def start(config, folder, stop=None):
    """Train as `spacy train` does, up to a step."""
    calls = None if stop is None else stop + 1
    config = changed(config, logger={"logger": {"calls": calls, "file": str(folder.with_suffix(".jsonl"))}})
    folder.mkdir(exist_ok=True)
    nlp = init_nlp(config)
    if stop is None:
        train(nlp, folder, stdout=StringIO())
    else:
        with pytest.raises(Stopped):
            train(nlp, folder, stdout=StringIO())
    return folder


def go_on(folder, **overrides):
    return resume(folder, overrides={"training.logger.logger.calls": None, **overrides}, stdout=StringIO())


def state_of(folder):
    return state_folder(folder, TrainingState.newest(folder).step)


def weights(path):
    """All weights of a saved pipeline, by component and place."""
    nlp = spacy.load(path)
    found = {}
    for name, component in nlp.components:
        for number, node in enumerate(component.model.walk()):
            for param in node.param_names:
                if node.has_param(param):
                    found[name, number, param] = node.get_param(param)
            for shim in node.shims:
                found |= {(name, number, key): value.numpy() for key, value in shim.module.state_dict().items()}
    return found


def assert_same_weights(first, second):
    first, second = weights(first), weights(second)
    assert first.keys() == second.keys() and first
    for key, value in first.items():
        numpy.testing.assert_array_equal(value, second[key], err_msg=str(key))


def log(folder):
    """What the logger was shown last at each step."""
    return {row["step"]: row for row in srsly.read_jsonl(folder.with_suffix(".jsonl"))}


def assert_same_training(whole, part):
    assert_same_weights(whole / "model-last", part / "model-last")
    assert_same_weights(whole / "model-best", part / "model-best")
    assert log(part) == log(whole)
