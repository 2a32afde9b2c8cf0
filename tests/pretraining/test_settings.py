"""The config of a run: what it says is checked before anything is computed, and every problem is named at once."""

from pathlib import Path

import pytest
from thinc.api import Config

from spacy_bigbird.pretraining.settings import PretrainingSettings

SHIPPED = Path(__file__).parents[2] / "configs" / "pretrain.cfg"
SMALLEST = {"paths": {"train": "texts", "vocab": "spiece.model"}}


def from_dict(**blocks) -> PretrainingSettings:
    return PretrainingSettings.from_dict({**SMALLEST, **blocks})


def test_the_shipped_config_names_every_setting_and_is_a_fixed_point():
    config = Config().from_disk(SHIPPED, overrides={"paths.train": "texts", "paths.vocab": "spiece.model"})
    settings = PretrainingSettings.from_dict(config)
    filled = settings.to_dict()
    assert filled == {**config, "paths": {**config["paths"], "train": ["texts"]}}
    assert PretrainingSettings.from_dict(Config().from_str(Config(filled).to_str())) == settings


def test_defaults_fill_what_is_left_out_and_whole_numbers_serve_as_numbers():
    settings = from_dict(training={"optimizer": {"learning_rate": 1}})
    assert settings.training.optimizer.learning_rate == 1.0
    assert isinstance(settings.training.optimizer.learning_rate, float)
    assert settings.masking.rate == 0.15
    assert settings.paths.dev is None


def test_several_corpora():
    settings = PretrainingSettings.from_dict({"paths": {"train": ["a", "b"], "dev": "c", "vocab": "v"}})
    assert settings.paths.train == ["a", "b"] and settings.paths.dev == ["c"]


@pytest.mark.parametrize(
    ("blocks", "named"),
    [
        ({"paths": {"train": None, "vocab": "v"}}, "paths.train: must be given"),
        (
            {"training": {"max_step": 5}},
            r"training.max_step: there is no such setting. Did you mean .max_steps. for .max_step.\?",
        ),
        ({"extra": {}}, "extra: there is no such setting"),
        ({"training": {"max_steps": 0}}, "training.max_steps = 0: expected a whole number of at least 1"),
        ({"training": {"max_steps": "many"}}, "training.max_steps = 'many': expected a whole number"),
        ({"training": {"max_steps": True}}, "training.max_steps = True: expected a whole number"),
        ({"training": {"max_steps": 2.5}}, "training.max_steps = 2.5: expected a whole number"),
        ({"training": {"mixed_precision": 1}}, "training.mixed_precision = 1: expected true or false"),
        ({"training": {"optimizer": 3}}, r"training.optimizer = 3: expected a block \[training.optimizer\]"),
        ({"training": {"device": "tpu"}}, "training.device = 'tpu': expected 'auto' or 'cpu' or 'cuda'"),
        (
            {"training": {"schedule": {"kind": "step"}}},
            "training.schedule.kind = 'step': expected 'linear' or 'cosine'",
        ),
        ({"masking": {"rate": 1.5}}, "masking.rate = 1.5: expected a number between 0 and 1"),
        ({"masking": {"rate": float("nan")}}, "masking.rate = nan"),
        ({"masking": {"mask_share": 0.9, "random_share": 0.2}}, "expected at most 1 in total"),
        ({"training": {"lengths": []}}, r"training.lengths = \[\]: expected \[step, pieces\] pairs"),
        ({"training": {"lengths": [[5, 512]]}}, "rising steps from 0"),
        ({"training": {"lengths": [[0, 64], [0, 128]]}}, "rising steps from 0"),
        ({"training": {"lengths": [[0, 4]]}}, "at least 8 pieces"),
        ({"training": {"lengths": ["x"]}}, "pairs"),
        ({"training": {"batch_pieces": 512}, "corpus": {"streams": 2}}, "expected at least 1024"),
        ({"paths": {"train": "texts"}}, "paths.vocab: must be given when model.name is not"),
        ({"model": {"transformer_config": 5}}, "model.transformer_config = 5: expected a block"),
    ],
)
def test_problems_are_named_with_their_place(blocks, named):
    with pytest.raises(ValueError, match=r"BB350[\s\S]*" + named):
        from_dict(**blocks)


def test_all_problems_are_named_at_once():
    with pytest.raises(ValueError) as caught:
        from_dict(masking={"rate": 2}, training={"seed": -1, "nothing": 1})
    assert all(name in str(caught.value) for name in ("masking.rate", "training.seed", "training.nothing"))


def test_the_length_of_a_step():
    training = from_dict(training={"lengths": [[0, 64], [10, 128], [20, 96]]}).training
    assert [training.length_at(step) for step in (0, 9, 10, 19, 20, 500)] == [64, 64, 128, 128, 96, 96]
    assert training.longest == 128
