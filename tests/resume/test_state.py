"""What cannot go on, and the parts of a state: random numbers, the optimizer, files that are not whole."""

import json
import random
import shutil
from itertools import islice

import numpy
import pytest
import spacy
import srsly
import torch
from spacy import util
from spacy.language import Language
from spacy.tokens import DocBin
from thinc.api import Adam, Linear, Model

from spacy_bigbird.resume.optimizer_state import OptimizerWatch, restore_optimizer
from spacy_bigbird.resume.random_states import random_states, set_random_states
from spacy_bigbird.resume.state import TrainingState, replace_folder

from ..toy_pipelines import make_examples
from .toy_trainings import TOY_RATE, Stopped, go_on, make_config, start, state_of


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
