"""Going on with a training that has ended."""

from io import StringIO

import pytest
import spacy
import srsly
from spacy.training.initialize import init_nlp
from spacy.training.loop import train

from spacy_bigbird.resume.loop import resume
from spacy_bigbird.resume.state import TrainingState

from .toy_trainings import RATE, TOY_RATE, assert_same_training, changed, go_on, make_config, start, state_of


@spacy.registry.callbacks("test_resume.long_texts.v1")
def make_long_texts():
    def before_init(nlp):
        nlp.max_length = 2_000_000
        return nlp

    return before_init


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
