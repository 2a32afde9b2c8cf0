"""A training that was stopped goes on as if it had not been: weights, order of the documents, scores, best pipeline."""

import json
import random
import shutil

import numpy
import pytest
import spacy
import srsly
import torch
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from thinc.api import Config

from spacy_bigbird.training.resume import resume
from spacy_bigbird.training.resume_state import FOLDER, TrainingState, replace_folder, state_folder

from ..toy_pipelines import TINY_ENCODER, make_examples, make_pipeline

LOGGER = {
    "@loggers": "spacy-bigbird.ResumableLogger.v1",
    "logger": {"@loggers": "test_resume.stops.v1", "step": None, "file": None},
}
TRAINING = {
    "seed": 0,
    "max_steps": 8,
    "eval_frequency": 3,
    "dropout": 0.2,
    "accumulate_gradient": 2,
    "optimizer": {
        "@optimizers": "Adam.v1",
        "use_averages": False,
        "learn_rate": {
            "@schedules": "warmup_linear.v1",
            "warmup_steps": 3,
            "total_steps": 9,
            "initial_rate": 0.01,
        },
    },
    "batcher": {"@batchers": "spacy-bigbird.batch_by_pieces.v1", "size": 40},
    "logger": LOGGER,
}


class Stopped(BaseException):
    """Comes in the middle of a training, as Ctrl-C does."""


@spacy.registry.loggers("test_resume.stops.v1")
def make_stopping_logger(step=None, file=None):
    """Notes what it is shown, and stops the training at a step."""

    def setup(nlp, stdout=None, stderr=None):
        count = -1

        def log_step(info):
            nonlocal count
            count = count + 1 if info is None else info["step"]
            if info is not None and file is not None:
                shown = {key: info[key] for key in ("step", "epoch", "score", "losses", "checkpoints", "words")}
                with open(file, "a") as stream:
                    stream.write(json.dumps(shown) + "\n")
            if count == step:
                raise Stopped

        return log_step, lambda: None

    return setup


@pytest.fixture
def config(vocab_file, tmp_path):
    """An encoder with dropout and two heads."""
    dropouts = {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}
    nlp = make_pipeline(vocab_file, ("tagger", "senter"), transformer_config={**TINY_ENCODER, **dropouts})
    documents = [example.reference for example in make_examples(nlp, odd=False)] * 3
    DocBin(docs=documents).to_disk(tmp_path / "corpus.spacy")
    paths = {"train": str(tmp_path / "corpus.spacy"), "dev": str(tmp_path / "corpus.spacy")}
    return Config(nlp.config.merge({"paths": paths, "training": TRAINING}))


def changed(config, **training):
    return config.copy().merge({"training": training})


def start(config, folder, stop=None):
    """Train as `spacy train` does, up to a step."""
    logger = {"step": stop, "file": str(folder.with_suffix(".jsonl"))}
    config = changed(config, logger={"logger": logger})
    folder.mkdir(exist_ok=True)
    nlp = init_nlp(config)
    if stop is None:
        train(nlp, folder, stdout=open("/dev/null", "w"))
    else:
        with pytest.raises(Stopped):
            train(nlp, folder, stdout=open("/dev/null", "w"))
    return folder


def go_on(folder, **overrides):
    settings = {"training.logger.logger.step": None, **overrides}
    return resume(folder, overrides=settings, stdout=open("/dev/null", "w"))


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
    assert set(first) == set(second)
    for key, value in first.items():
        numpy.testing.assert_array_equal(value, second[key], err_msg=str(key))


def log(folder):
    return list(srsly.read_jsonl(folder.with_suffix(".jsonl")))


@pytest.mark.parametrize(("stop", "use_averages"), [(1, False), (6, True)])
def test_a_stopped_training_ends_as_if_it_had_not_stopped(config, tmp_path, stop, use_averages):
    config = changed(config, optimizer={"use_averages": use_averages})
    whole = start(config, tmp_path / "whole")
    part = start(config, tmp_path / "part", stop=stop)
    go_on(part)
    assert_same_weights(whole / "model-last", part / "model-last")
    assert_same_weights(whole / "model-best", part / "model-best")
    assert {row["step"]: row for row in log(part)} == {row["step"]: row for row in log(whole)}
    performance = [spacy.load(folder / "model-best").meta["performance"] for folder in (whole, part)]
    assert performance[0] == performance[1] and performance[0]["tag_acc"] > 0
