"""Two real processes (gloo) train what one process trains with twice the batch, and do not hang when one dies."""

import socket
from pathlib import Path

import numpy
import pytest
import spacy
from spacy.schemas import ConfigSchemaTraining
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import create_train_batches
from spacy.util import fix_random_seed, registry, resolve_dot_names
from thinc.api import Config

from spacy_bigbird.cli.new_config import make_config
from spacy_bigbird.distributed.gradients import find_parameters
from spacy_bigbird.distributed.processes import Processes
from spacy_bigbird.resume.state import TrainingState

from ..processes import start
from ..toy_pipelines import TINY_ENCODER, make_examples
from .two_processes import die, run


def in_two_processes(target, *arguments) -> list[int | None]:
    """Run a function in two processes. RETURNS (list): their exit codes."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    processes = [start(target, number, port, *arguments) for number in (0, 1)]
    for process in processes:
        process.join(280)
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
    return codes


def make(vocab_file, folder: Path, **training) -> dict:
    """A shared encoder, heads of this package and of spaCy, no dropout, and five batches of one document an epoch."""
    nlp = spacy.blank("xx")
    docs = [example.reference for example in make_examples(nlp)]
    # Only one document has tags: in most steps, the tagger has no gradient in one process.
    extra = nlp.make_doc("Boris sold old tea in Paris .")
    for doc in (*docs[:3], extra):
        for token in doc:
            token.tag_ = ""
    path = folder / "corpus.spacy"
    if not path.exists():
        DocBin(docs=[*docs, extra], store_user_data=True).to_disk(path)
    config = make_config(["ner", "textcat", "tagger"], lang="xx", vocab_file=str(vocab_file))
    config["paths"].update(train=str(path), dev=str(path))
    config["components"]["bigbird"]["model"]["transformer_config"] = dict(TINY_ENCODER)
    config["training"].update(max_steps=7, eval_frequency=3, dropout=0.0, patience=0, **training)
    config["training"]["optimizer"]["learn_rate"] = 0.001
    config["training"]["batcher"] = {
        "@batchers": "spacy.batch_by_sequence.v1",
        "size": 1,
        "get_length": None,
    }
    return config


def in_one_process(config: dict):
    """What two processes should do: two batches of an epoch for each step, one after the other, gradients added up."""
    nlp = init_nlp(Config(config))
    resolved = nlp.config.interpolate()
    fix_random_seed(resolved["training"]["seed"])
    settings = registry.resolve(resolved["training"], schema=ConfigSchemaTraining)
    (corpus,) = resolve_dot_names(resolved, [settings["train_corpus"]])
    epochs: dict[int, list] = {}
    for epoch, batch in create_train_batches(nlp, corpus, settings["batcher"], 3):
        epochs.setdefault(epoch, []).append(batch)
    steps = [batches[start : start + 2] for batches in epochs.values() for start in range(0, len(batches), 2)]
    for batches in steps[:8]:
        for batch in batches:
            nlp.update(batch, sgd=False, drop=0.0, annotates=settings["annotating_components"])
        for _, component in nlp.pipeline:
            component.finish_update(settings["optimizer"])
        settings["optimizer"].step_schedules()
    return nlp


def weights(nlp) -> dict[str, numpy.ndarray]:
    return {f"{p.component} {p.name} {n}": numpy.array(p.get()) for n, p in enumerate(find_parameters(nlp))}


@pytest.fixture(scope="module")
def trained(vocab_file, tmp_path_factory):
    """Outputs of a training that went on, of one that was stopped and resumed, and what one process trains."""
    folder = tmp_path_factory.mktemp("two")
    config = make(vocab_file, folder)
    part = make(vocab_file, folder)
    part["training"]["max_steps"] = 3
    jobs = [(config, folder / "whole"), (part, folder / "stopped"), (config, folder / "stopped")]
    codes = in_two_processes(run, jobs, folder)
    errors = "\n".join(path.read_text() for path in folder.glob("error-*"))
    assert codes == [0, 0], errors
    return folder, in_one_process(config)


def test_two_processes_equal_one_with_twice_the_batch(trained):
    folder, one = trained
    two, expected = weights(spacy.load(folder / "whole" / "model-last")), weights(one)
    start = weights(init_nlp(Config(spacy.load(folder / "whole" / "model-last").config)))
    assert set(two) == set(expected) == set(start)
    for name in expected:
        numpy.testing.assert_allclose(two[name], expected[name], atol=1e-4, err_msg=name)
    assert sum(numpy.abs(expected[name] - start[name]).max() > 1e-3 for name in expected) > len(expected) / 2


def test_a_training_that_was_stopped_goes_on_as_if_it_was_not(trained):
    folder, _ = trained
    whole, resumed = (weights(spacy.load(folder / name / "model-last")) for name in ("whole", "stopped"))
    for name in whole:
        numpy.testing.assert_array_equal(whole[name], resumed[name], err_msg=name)
    state = TrainingState.newest(folder / "stopped")
    assert (state.step, state.processes) == (6, 2)
    # All batches count, whichever process has read them.
    assert state.words == TrainingState.newest(folder / "whole").words > 0


def test_a_dead_process_ends_the_run_with_a_message(vocab_file, tmp_path):
    codes = in_two_processes(die, make(vocab_file, tmp_path), tmp_path)
    assert codes == [0, -9]
    message = (tmp_path / "error-0").read_text()
    assert "BB420" in message and "--resume" in message and "Process 0 of 2" in message


def test_several_processes_of_which_one_was_started_are_refused(monkeypatch):
    for name, value in (("ACCELERATE_MIXED_PRECISION", "no"), ("MASTER_ADDR", "127.0.0.1")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with pytest.raises(RuntimeError, match=r"BB425.*torchrun"), Processes.joined():
        pytest.fail("The run was not stopped.")
