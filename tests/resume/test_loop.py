"""A training that was stopped goes on as if it had not been: weights, order of the documents, scores, best pipeline."""

import json
import random
import shutil
import warnings
from io import StringIO
from itertools import islice

import numpy
import pytest
import spacy
import srsly
import torch
from spacy import util
from spacy.language import Language
from spacy.tokens import DocBin
from spacy.training import Corpus
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from thinc.api import Adam, Config, Linear, Model

from spacy_bigbird.resume.loop import resume
from spacy_bigbird.resume.optimizer_state import OptimizerWatch, restore_optimizer
from spacy_bigbird.resume.random_states import random_states, set_random_states
from spacy_bigbird.resume.state import TrainingState, replace_folder, state_folder

from ..toy_pipelines import TINY_ENCODER, add_head, encoder_model, make_examples

DROPOUTS = {**TINY_ENCODER, "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}
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
# It stops at the last step of the second length, in the middle of an epoch.
STRETCHES = {
    "@batchers": "spacy-bigbird.stretches.v1",
    "lengths": [2, 4],
    "until": [2, 5],
    "batcher": {"@batchers": "spacy-bigbird.batch_by_pieces.v1", "size": 12},
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


@spacy.registry.callbacks("test_resume.remembers_steps.v1")
def make_step_memory():
    """Keeps in the pipeline's meta what it is told before each update."""

    def before_update(nlp, where):
        nlp.meta["seen"] = [*nlp.meta.get("seen", []), [where["step"], where["epoch"]]]

    return before_update


@spacy.registry.callbacks("test_resume.long_texts.v1")
def make_long_texts():
    def before_init(nlp):
        nlp.max_length = 2_000_000
        return nlp

    return before_init


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


def test_a_writer_that_fails_leaves_what_was_there(tmp_path):
    def broken(folder):
        (folder / "half").write_text("new")
        raise Stopped

    place = tmp_path / "place"
    replace_folder(place, lambda folder: (folder / "whole").write_text("old"))
    with pytest.raises(Stopped):
        replace_folder(place, broken)
    assert [path.name for path in place.iterdir()] == ["whole"]
    replace_folder(place, lambda folder: (folder / "other").write_text("new"))
    assert [path.name for path in tmp_path.rglob("*")] == ["place", "other"]


def test_another_training_in_the_same_directory_begins_anew(vocab_file, tmp_path):
    config = make_config(vocab_file, tmp_path, **TOY_RATE)
    part = start(config, tmp_path / "part")
    before = TrainingState.newest(part)
    start(changed(config, max_steps=2), part)
    after = TrainingState.newest(part)
    assert (before.step, after.step) == (6, 0) and after.results == before.results[:1]


# Going on with a training that has ended


def test_a_finished_training_goes_on_only_for_longer(vocab_file, tmp_path):
    config = make_config(vocab_file, tmp_path, **TOY_RATE)
    config["initialize"]["before_init"] = {"@callbacks": "test_resume.long_texts.v1"}
    whole = start(config, tmp_path / "whole")
    part = start(changed(config, max_steps=4), tmp_path / "part")
    with pytest.raises(ValueError, match=r"BB345.*finished at step 4.*max_steps = 4.*--training.max_steps 8"):
        go_on(part)
    # Other limits than before, none of which lets it go on.
    for limits in (
        {"max_steps": 3},
        {"patience": 5000},
        {"max_steps": 3, "max_epochs": 9},
        {"max_steps": 9, "patience": 1},
    ):
        with pytest.raises(ValueError, match=r"BB345.*finished at step 4"):
            go_on(part, **{f"training.{name}": value for name, value in limits.items()})
    # The very last thing that spaCy writes; a kill may come there too.
    (part / "model-last" / "meta.json").write_text("{")
    nlp, path = go_on(part)
    assert nlp.max_length == 2_000_000 and spacy.load(path).pipe_names == ["tagger"]
    go_on(part, **{"training.max_steps": 7})
    assert_same_training(whole, part)


def test_a_training_that_has_no_epochs_left(vocab_file, tmp_path):
    config = make_config(vocab_file, tmp_path, **TOY_RATE, max_epochs=2)
    part = start(changed(config, max_steps=0), tmp_path / "part")
    end = srsly.read_json(state_of(part) / "finished.json")
    assert end == {"step": 5, "max_steps": 0, "max_epochs": 2, "patience": 1600}
    with pytest.raises(ValueError, match=r"BB345.*max_epochs = 2"):
        go_on(part, **{"training.max_steps": 1000})
    go_on(part, **{"training.max_epochs": 3})
    assert TrainingState.newest(part).epoch == 2


@pytest.mark.parametrize("content", ["", "{", "[]", '{"max_steps": 4}', '{"step": null}'])
def test_a_note_of_the_end_that_is_not_whole(vocab_file, tmp_path, content):
    config = make_config(vocab_file, tmp_path, **TOY_RATE)
    part = start(changed(config, max_steps=4), tmp_path / "part")
    note = state_of(part) / "finished.json"
    note.write_text(content)
    go_on(part)
    assert TrainingState.newest(part).step == 3


# What cannot go on


@pytest.fixture(scope="module")
def stopped(vocab_file, tmp_path_factory):
    """A training that stopped at step 4. It is only looked at."""
    folder = tmp_path_factory.mktemp("stopped")
    return start(make_config(vocab_file, folder, **TOY_RATE), folder / "part", stop=4)


@pytest.fixture
def part(stopped, tmp_path):
    return shutil.copytree(stopped, tmp_path / "part")


def edit_state(folder, **values):
    path = state_of(folder) / "state.json"
    srsly.write_json(path, {**srsly.read_json(path), **values})


def test_a_directory_without_a_training(tmp_path, part):
    with pytest.raises(ValueError, match=r"BB343.*nowhere.*no such directory.*(?s:.)*ResumableLogger.v1"):
        go_on(tmp_path / "nowhere")
    shutil.rmtree(part / "resume")
    with pytest.raises(ValueError, match=r"BB343.*there is no .*resume"):
        go_on(part)


@pytest.mark.parametrize(
    ("name", "is_cut"),
    [("state.json", True), ("state.json", False), ("optimizer.safetensors", True), ("pipeline/config.cfg", False)],
)
def test_a_state_that_is_not_whole(part, name, is_cut):
    path = state_of(part) / name
    if is_cut:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    else:
        path.unlink()
    with pytest.raises(ValueError, match=r"BB344.*step-000000003"):
        go_on(part)


@pytest.mark.parametrize(
    ("values", "overrides", "expected"),
    [
        ({"spacy_version": "3.7"}, {}, r"BB346.*saved by spaCy 3\.7.*this is 3\.8"),
        ({}, {"components.tagger.overwrite": True, "nlp.batch_size": 3}, r"BB347.*tagger.overwrite, nlp.batch_size.*"),
        ({}, {"training.max_epochs": 1, "training.batcher.size": 1000}, "BB348.* 1 batches, but 4 have been done"),
        ({"parameters": [["tagger", 99, None, "W", 1, 0]]}, {}, "BB349.*'tagger' no longer has the layers"),
    ],
)
def test_what_does_not_fit(part, values, overrides, expected):
    edit_state(part, **values)
    with pytest.raises(ValueError, match=expected):
        go_on(part, **overrides)
    # Nothing was lost by trying.
    edit_state(part, **{"spacy_version": "3.8"} if "spacy_version" in values else {})
    assert spacy.load(part / "model-last").pipe_names == ["tagger"]


def test_another_corpus_is_noticed(part, tmp_path):
    nlp = spacy.blank("xx")
    DocBin(docs=[example.reference for example in make_examples(nlp)] * 2).to_disk(tmp_path / "other.spacy")
    with pytest.warns(UserWarning, match="BW340"):
        go_on(part, **{"paths.train": str(tmp_path / "other.spacy")})


# Parts


def test_random_states_come_back():
    def draw():
        return [random.random(), numpy.random.random(), torch.rand(1).item()]

    before = json.loads(json.dumps(random_states()))
    first = draw()
    set_random_states(before)
    assert draw() == first


def test_the_optimizer_is_found_and_the_models_are_left_alone():
    models: list[Model] = [Linear(2, 2).initialize() for _ in range(3)]
    watch, optimizer = OptimizerWatch(models), Adam()
    models[0].finish_update(optimizer)
    assert watch.optimizer is optimizer and [model.shims for model in models] == [[], [], []]
    watch.remove()


def test_the_optimizer_s_state_is_kept_by_place(vocab_file, tmp_path):
    """Ids of layers differ between processes; there is a layer of the same id for another weight."""

    def pipeline() -> Language:
        nlp = util.load_model_from_config(make_config(vocab_file, tmp_path, ("tagger", "ner"), {}), auto_fill=True)
        return nlp

    first, second = pipeline(), pipeline()
    examples = make_examples(first)
    optimizer = Adam(0.01, use_averages=True)
    for nlp in (first, second):
        nlp.initialize(lambda: examples)
    for _ in range(2):
        first.update(examples, sgd=optimizer)
    state = TrainingState(0, 0, [(0.5, 0)], 9, 1, "today", random_states(), random_states(), 10, "3.8", "here")
    first.to_disk(tmp_path / "model-best")
    other = Adam(0.01, use_averages=True)
    restore_optimizer(state.save(tmp_path, first, optimizer), second, other)
    places = zip(
        *([*walk(nlp, "bigbird"), *walk(nlp, "tagger"), *walk(nlp, "ner")] for nlp in (first, second)), strict=True
    )
    compared = 0
    for (owner, names), (twin, _) in places:
        for name in names:
            assert other.nr_update[twin, name] == optimizer.nr_update[owner, name]
            for table in ("mom1", "mom2", "averages"):
                if (owner, name) in getattr(optimizer, table):
                    numpy.testing.assert_array_equal(
                        getattr(optimizer, table)[owner, name], getattr(other, table)[twin, name]
                    )
                    compared += 1
    assert compared > 3 * 30
    with pytest.raises(ValueError, match=r"BB349.*it is a list"):
        state.save(tmp_path, first, [])


def walk(nlp, component):
    """Ids of all that has weights, with the names of the weights."""
    for node in islice(nlp.get_pipe(component).model.walk(), 1000):
        yield node.id, node.param_names
        for shim in node.shims:
            yield shim.id, [name for name, _ in shim.module.named_parameters()]


@pytest.mark.parametrize("rate", [{**RATE, "total_steps": 4}, {**RATE, "@schedules": "spacy-bigbird.warmup_linear.v1"}])
def test_a_schedule_that_ends_before_the_raised_limit_is_said(vocab_file, tmp_path, rate):
    """With total_steps = ${training.max_steps}, it follows the limit."""
    is_number = rate["@schedules"] == "warmup_linear.v1"
    rate = rate if is_number else {**rate, "total_steps": "${training.max_steps}"}
    config = make_config(vocab_file, tmp_path, max_steps=4, optimizer={"learn_rate": rate})
    (tmp_path / "out").mkdir()
    train(init_nlp(config), tmp_path / "out")
    stdout = StringIO()
    resume(tmp_path / "out", overrides={"training.max_steps": 8}, stdout=stdout)
    assert ("[BB660] The learning rate is 0 from step 4 on" in stdout.getvalue()) is is_number
