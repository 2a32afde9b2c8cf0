"""Learning rates follow the length of the training, whatever sets it, and those that do not are found."""

from itertools import islice
from pathlib import Path

import pytest
from spacy import util
from spacy.util import registry
from thinc.api import Adam

from spacy_bigbird.cli.new_config import make_config
from spacy_bigbird.schedules import find_schedule_problems, make_warmup_linear

ROOT = Path(__file__).parents[1]
FOLDERS = ("configs", "project/demo/configs", "project/models/configs")
SHIPPED = sorted(path for folder in FOLDERS for path in (ROOT / folder).glob("*.cfg"))
CONFIGS = [path for path in SHIPPED if path.stem != "pretrain" and "total_steps" in path.read_text(encoding="utf8")]


def rates(config, steps: int) -> list[float]:
    block = config.interpolate()["training"]["optimizer"]
    optimizer = registry.resolve({"optimizer": block})["optimizer"]
    return [optimizer.learn_rate, *islice(optimizer.schedules["learn_rate"], steps - 1)]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
@pytest.mark.parametrize("max_steps", [2000, 30000])
def test_shipped_configs_follow_an_override(path, max_steps):
    config = util.load_config(path, overrides={"training.max_steps": max_steps})
    (*before, last) = rates(config, max_steps)
    assert all(before[1:]) and 0 < last < 0.01 * max(before)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configs_keep_the_rate_if_the_length_is_not_known(path):
    config = util.load_config(path, overrides={"training.max_steps": 0})
    values = rates(config, 30000)
    assert values[-1] == max(values) > 0


def test_init_config_writes_a_schedule_that_follows():
    config = util.load_config_from_str(make_config(["ner"]).to_str(), overrides={"training.max_steps": 40})
    assert config["training"]["optimizer"]["learn_rate"]["total_steps"] == "${training.max_steps}"
    assert config.interpolate()["training"]["optimizer"]["learn_rate"]["total_steps"] == 40


def test_values():
    assert list(islice(make_warmup_linear(1.0, 2, 6), 8)) == [0.0, 0.5, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    assert list(islice(make_warmup_linear(1.0, 2, 0), 4)) == [0.0, 0.5, 1.0, 1.0]
    assert list(islice(make_warmup_linear(1.0, 0, 2), 3)) == [1.0, 0.5, 0.0]


@pytest.mark.parametrize(
    ("total", "steps", "code"),
    [
        (1000, 1000, None),
        (1000, 1001, None),
        (1000, 2000, "[BB660]"),
        (1000, None, "[BB660]"),
        (0, None, None),
        (0, 500, None),
        (20000, 50, "[BW660]"),
        (20000, 1000, "[BW661]"),
        (20000, 15000, None),
    ],
)
def test_schedules_that_do_not_fit_are_found(total, steps, code):
    problems = find_schedule_problems(Adam(make_warmup_linear(1e-3, 100, total)), steps)
    assert [problem[:7] for problem in problems] == [code] * (code is not None)


def test_constant_rates_fit():
    assert find_schedule_problems(Adam(1e-3), 10) == [] and find_schedule_problems(object(), 10) == []
