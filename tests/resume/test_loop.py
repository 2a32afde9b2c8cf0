"""A training that was stopped goes on as if it had not been: weights, order of the documents, scores, best pipeline."""

import shutil
import warnings
from io import StringIO

import pytest
import spacy
from spacy.training import Corpus
from spacy.training.initialize import init_nlp
from spacy.training.loop import train

from spacy_bigbird.resume.state import TrainingState

from ..toy_pipelines import TINY_ENCODER
from .toy_trainings import (
    TOY_RATE,
    Stopped,
    assert_same_training,
    assert_same_weights,
    changed,
    go_on,
    log,
    make_config,
    start,
    state_of,
    weights,
)

DROPOUTS = {**TINY_ENCODER, "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}
# It stops at the last step of the second length, in the middle of an epoch.
STRETCHES = {
    "@batchers": "spacy-bigbird.stretches.v1",
    "lengths": [2, 4],
    "until": [2, 5],
    "batcher": {"@batchers": "spacy-bigbird.batch_by_pieces.v1", "size": 12},
}


@spacy.registry.callbacks("test_resume.remembers_steps.v1")
def make_step_memory():
    """Keeps in the pipeline's meta what it is told before each update."""

    def before_update(nlp, where):
        nlp.meta["seen"] = [*nlp.meta.get("seen", []), [where["step"], where["epoch"]]]

    return before_update


# The same as without a stop


@pytest.mark.parametrize(("stop", "use_averages"), [(1, False), (6, True)])
def test_a_stopped_training_ends_as_if_it_had_not_stopped(vocab_file, tmp_path, stop, use_averages):
    """With dropout, a schedule of the learning rate, accumulated gradients, and epochs in the middle of which it
    stops; at step 6 it stops after spaCy has saved and before the state is written."""
    config = make_config(vocab_file, tmp_path, encoder={"transformer_config": DROPOUTS})
    config = changed(config, optimizer={"use_averages": use_averages})
    whole, part = start(config, tmp_path / "whole"), start(config, tmp_path / "part", stop=stop)
    go_on(part)
    assert_same_training(whole, part)
    performance = [spacy.load(folder / "model-best").meta["performance"] for folder in (whole, part)]
    assert performance[0] == performance[1] and performance[0]["tag_acc"] > 0


def test_frozen_and_annotating_components(vocab_file, tmp_path):
    source = make_config(vocab_file, tmp_path, ("tagger", "senter"), encoder={}, max_steps=1)
    start(source, tmp_path / "source")
    component = {"source": str(tmp_path / "source" / "model-last")}
    config = changed(source, frozen_components=["bigbird", "senter"], annotating_components=["bigbird", "senter"])
    config["components"] = {name: component for name in ("bigbird", "tagger", "senter")}
    config = changed(config, max_steps=5)
    whole, part = start(config, tmp_path / "whole"), start(config, tmp_path / "part", stop=4)
    go_on(part)
    assert_same_training(whole, part)
    before, after = weights(tmp_path / "source" / "model-last"), weights(part / "model-last")
    moved = {key[0] for key in before if (before[key] != after[key]).any()}
    assert moved == {"tagger"}


@pytest.mark.parametrize(
    "settings",
    [
        {"max_epochs": 3, "max_steps": 0},
        {"max_epochs": -1, "max_steps": 8, "optimizer": {"@optimizers": "RAdam.v1", "learn_rate": 0.01}},
        {"patience": 4, "max_steps": 0, "before_update": {"@callbacks": "test_resume.remembers_steps.v1"}},
        {"batcher": {"@batchers": "spacy.batch_by_words.v1", "size": {"@schedules": "compounding.v1"}}},
        {"batcher": STRETCHES},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_what_ends_a_training_and_what_makes_its_batches(vocab_file, tmp_path, settings):
    if settings.get("batcher", STRETCHES) != STRETCHES:
        schedule = {"@schedules": "compounding.v1", "start": 10, "stop": 60, "compound": 1.3}
        settings = {"batcher": {**settings["batcher"], "size": schedule, "discard_oversize": False, "tolerance": 0.2}}
    config = make_config(vocab_file, tmp_path, **{**TOY_RATE, **settings})
    whole, part = start(config, tmp_path / "whole"), start(config, tmp_path / "part", stop=4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        go_on(part)
    assert_same_training(whole, part)
    seen = [spacy.load(folder / "model-last").meta.get("seen") for folder in (whole, part)]
    assert seen[0] == seen[1] and (seen[0] is not None) == ("before_update" in settings)


def test_a_training_may_stop_again_and_again(vocab_file, tmp_path):
    config = make_config(vocab_file, tmp_path, **TOY_RATE)
    whole, part = start(config, tmp_path / "whole"), start(config, tmp_path / "part", stop=1)
    for step, saved in ((2, 0), (4, 0), (5, 3)):
        with pytest.raises(Stopped):
            go_on(part, **{"training.logger.logger.calls": step - saved})
    state = TrainingState.newest(part)
    assert (state.step, state.words) == (3, log(whole)[3]["words"])
    go_on(part)
    assert_same_training(whole, part)
    assert len(list((part / "resume").iterdir())) == 1


def test_components_that_draw_random_numbers_change_the_order_only(vocab_file, tmp_path):
    """spaCy's parser and ner draw from Python's random numbers in every update."""
    config = make_config(vocab_file, tmp_path, ("ner",), **TOY_RATE, max_epochs=6, max_steps=0)
    part = start(config, tmp_path / "part", stop=10)
    with pytest.warns(UserWarning, match="BW340.* step 9"):
        go_on(part)
    nlp = spacy.load(part / "model-last")
    assert nlp.evaluate(list(Corpus(tmp_path / "corpus.spacy")(nlp)))["ents_f"] == 1.0
    last = log(part)[max(log(part))]
    assert last["step"] > 9 and last["epoch"] == 5


def test_the_logger_leaves_the_training_as_it_is(vocab_file, tmp_path):
    """Also where saving draws random numbers, as half precision on disk does."""
    config = make_config(vocab_file, tmp_path, encoder={"transformer_config": DROPOUTS, "save_as": "float16"})
    with_states = start(changed(config, max_steps=4), tmp_path / "with")
    plain = changed(config, max_steps=4)
    plain["training"]["logger"] = {"@loggers": "spacy.ConsoleLogger.v1"}
    (tmp_path / "without").mkdir()
    train(init_nlp(plain), tmp_path / "without", stdout=StringIO())
    assert_same_weights(with_states / "model-last", tmp_path / "without" / "model-last")
    # What is trained is kept in full precision, whatever the pipeline's own file holds.
    sizes = [(path / "bigbird" / "model.safetensors").stat().st_size for path in (state_of(with_states) / "pipeline",)]
    assert sizes[0] > 1.5 * (with_states / "model-last" / "bigbird" / "model.safetensors").stat().st_size
    assert list(init_nlp(plain).get_pipe("bigbird").model.shims) == []


# What a kill may leave behind


def test_pipelines_that_were_being_written(vocab_file, tmp_path):
    config = make_config(vocab_file, tmp_path, **TOY_RATE)
    whole, part = start(config, tmp_path / "whole"), start(config, tmp_path / "part", stop=4)
    shutil.rmtree(part / "model-best")
    (part / "model-last" / "config.cfg").unlink()
    (part / "resume" / ".step-000000006.part").mkdir()
    go_on(part)
    assert_same_training(whole, part)
    assert [path.name for path in (part / "resume").iterdir()] == ["step-000000006"]


def test_another_training_in_the_same_directory_begins_anew(vocab_file, tmp_path):
    config = make_config(vocab_file, tmp_path, **TOY_RATE)
    part = start(config, tmp_path / "part")
    before = TrainingState.newest(part)
    start(changed(config, max_steps=2), part)
    after = TrainingState.newest(part)
    assert (before.step, after.step) == (6, 0) and after.results == before.results[:1]
