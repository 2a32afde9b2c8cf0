"""Saved states: complete or not there, only the newest kept, and refused where they do not belong."""

import json

import pytest
import torch

from spacy_bigbird.pretraining.sequences import Cursor
from spacy_bigbird.pretraining.state import RunState

from .toy_run import toy_settings

SETTINGS = toy_settings("texts", "vocab")


def state_at(step: int, settings=SETTINGS) -> RunState:
    torch.manual_seed(step)
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(3)).sum().backward()
    optimizer.step()
    return RunState.of(step, {0: Cursor(1, 2, 3, 4), 1: Cursor()}, model, optimizer, settings)


def test_a_state_comes_back_as_it_was(tmp_path):
    saved = state_at(5)
    saved.save(tmp_path, keep=2)
    loaded = RunState.newest(tmp_path)
    assert loaded is not None
    assert (loaded.step, loaded.cursors) == (5, {0: Cursor(1, 2, 3, 4), 1: Cursor()})
    assert all(torch.equal(loaded.model[name], saved.model[name]) for name in saved.model)
    assert torch.equal(loaded.optimizer["state"][0]["exp_avg"], saved.optimizer["state"][0]["exp_avg"])
    loaded.check(SETTINGS)


def test_only_the_newest_are_kept(tmp_path):
    for step in (2, 30, 100, 1000):
        state_at(step).save(tmp_path, keep=2)
    assert sorted(path.name for path in (tmp_path / "resume").iterdir()) == ["step-000000100.pt", "step-000001000.pt"]
    newest = RunState.newest(tmp_path)
    assert newest is not None and newest.step == 1000


def test_a_state_that_was_not_finished_does_not_count(tmp_path, monkeypatch):
    state_at(1).save(tmp_path, keep=2)

    def fails(*arguments):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", fails)
        with pytest.raises(OSError, match="disk full"):
            state_at(2).save(tmp_path, keep=1)
    newest = RunState.newest(tmp_path)
    assert newest is not None and newest.step == 1
    assert RunState.newest(tmp_path / "elsewhere") is None


@pytest.mark.parametrize("content", [b"", b"no state", b"PK\x03\x04 cut off"])
def test_a_damaged_state_is_named(tmp_path, content):
    path = state_at(3).save(tmp_path, keep=1)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"BB354.*step-000000003\.pt"):
        RunState.newest(tmp_path)


@pytest.mark.parametrize(
    ("blocks", "named"),
    [
        ({"training": {"seed": 1}}, "training.seed: 0 -> 1"),
        ({"training": {"batch_pieces": 1024}}, "training.batch_pieces: 512 -> 1024"),
        (
            {"training": {"lengths": [[0, 32], [4, 128]]}},
            r"training.lengths: \[\[0, 32\], \[3, 128\]\] -> \[\[0, 32\], \[4, 128\]\]",
        ),
        ({"corpus": {"shuffle_documents": 5}}, "corpus.shuffle_documents: 4 -> 5"),
        ({"masking": {"whole_words": True}}, "masking.whole_words: False -> True"),
        ({"model": {"transformer_config": {"hidden_size": 64}}}, "model.transformer_config"),
    ],
)
def test_settings_that_decide_the_data_may_not_change(blocks, named):
    with pytest.raises(ValueError, match=f"BB355.*step 5 .*{named}"):
        state_at(5).check(toy_settings("texts", "vocab", **blocks))


def test_other_settings_may():
    state_at(5).check(
        toy_settings(
            "moved/texts",
            "moved/vocab",
            training={
                "max_steps": 99,
                "lengths": [[0, 32], [3, 128], [5, 256]],
                "micro_batch_pieces": 64,
                "optimizer": {"learning_rate": 1.0},
            },
            report={"save_every": 7},
            corpus={"tokenizer_threads": 3, "prefetch_steps": 1},
        )
    )


def test_the_settings_are_kept_as_they_stand_in_the_config(tmp_path):
    loaded = state_at(5)
    loaded.save(tmp_path, keep=1)
    newest = RunState.newest(tmp_path)
    assert newest is not None and newest.settings == json.loads(json.dumps(SETTINGS.to_dict()))
