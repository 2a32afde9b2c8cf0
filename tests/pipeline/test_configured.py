"""The config says what the settings of a component are; `cfg` holds its labels, what was fitted, and what was set."""

import pytest
import spacy
import srsly
from spacy.training import Example

from .heads_util import with_toy_rows

NAME = "bigbird_ner"
CONFIGURED = {
    "decoder": "crf",
    "threshold": 0.0,
    "spans_key": None,
    "spans_threshold": None,
    "overwrite_ents": False,
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    nlp = with_toy_rows(NAME, "mean")
    annotated = {"entities": [(0, 3, "PER"), (7, 11, "GPE")]}
    nlp.initialize(lambda: [Example.from_dict(nlp.make_doc("Ann in Rome"), annotated)])
    folder = tmp_path_factory.mktemp("saved")
    nlp.to_disk(folder)
    return folder


def load(folder, cfg=None, **settings):
    if cfg is not None:
        srsly.write_json(folder / NAME / "cfg", cfg)
    return spacy.load(folder, config={"components": {NAME: settings}}).get_pipe(NAME)


def test_cfg_has_no_settings(saved):
    assert load(saved).cfg == {"labels": ["GPE", "PER"], "temperature": 1.0, "set": {}}
    assert load(saved, threshold=0.5).settings.threshold == 0.5


def test_cfg_of_earlier_versions_is_read(saved):
    """As version 0.1 wrote it, after `cfg["threshold"] = 0.25` and `cfg["spans_key"] = "e"`."""
    former = {"labels": ["GPE", "PER"], "temperature": 1.75, **CONFIGURED, "threshold": 0.25, "spans_key": "e"}
    ner = load(saved, {**former, "configured": CONFIGURED})
    assert dict(ner.settings) == {**CONFIGURED, "threshold": 0.25, "spans_key": "e"}
    assert set(ner.cfg) == {"labels", "temperature", "set"} and ner.cfg["temperature"] == 1.75
    again = load(saved, ner.cfg)
    assert again.cfg == ner.cfg and again.settings == ner.settings
    # What the config says now is not what it said then.
    changed = load(saved, {**former, "configured": CONFIGURED}, threshold=0.5)
    assert (changed.settings.threshold, changed.settings.spans_key) == (0.5, "e")


def test_what_was_set_is_checked_and_holds_until_the_config_changes(saved):
    ner = load(saved, {"labels": ["GPE"], "temperature": 1.0, "set": {}})
    ner.set(threshold=0.25, overwrite_ents=True)
    with pytest.raises(ValueError, match=r"BB200.*threshold = 2 .*a number from 0 to 1"):
        ner.set(threshold=2)
    with pytest.raises(ValueError, match=r"BB200.*treshold"):
        ner.set(treshold=0.5)
    assert dict(load(saved, ner.cfg).settings) == {**CONFIGURED, "threshold": 0.25, "overwrite_ents": True}
    assert dict(load(saved, ner.cfg, threshold=0.75).settings) == {
        **CONFIGURED,
        "threshold": 0.75,
        "overwrite_ents": True,
    }
