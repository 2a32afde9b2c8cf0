"""BigBirdConfig: defaults as documented, validation that explains itself, round trips through a dictionary."""

import dataclasses

import pytest
from transformers import BigBirdConfig as ReferenceConfig

from spacy_bigbird.plan.config import BigBirdConfig

OWN_FIELDS = {"random_pattern", "full_attention_up_to", "extra"}


def test_every_documented_argument_has_the_documented_default():
    ours, reference = BigBirdConfig(), ReferenceConfig()
    shared = [f.name for f in dataclasses.fields(ours) if f.name not in OWN_FIELDS]
    assert len(shared) == 32
    assert {name: getattr(ours, name) for name in shared} == {name: getattr(reference, name) for name in shared}


def test_unknown_keys_survive_a_round_trip():
    values = {"hidden_size": 32, "num_attention_heads": 4, "gradient_checkpointing": False, "model_type": "big_bird"}
    config = BigBirdConfig.from_dict(values)
    assert config.extra == {"gradient_checkpointing": False}
    assert BigBirdConfig.from_dict(config.to_dict()) == config
    assert config.to_dict()["gradient_checkpointing"] is False


def test_a_configuration_is_saved_alone_and_read_back(tmp_path):
    config = BigBirdConfig(hidden_size=32, num_attention_heads=4, num_labels=3, extra={"summary": "kept"})
    config.save_pretrained(tmp_path / "new" / "folder")
    assert BigBirdConfig.from_pretrained(tmp_path / "new" / "folder") == config
    changed = BigBirdConfig.from_pretrained(str(tmp_path / "new" / "folder"), num_labels=5, random_pattern="none")
    assert changed == config.replace(num_labels=5, random_pattern="none")
    assert ReferenceConfig.from_pretrained(tmp_path / "new" / "folder").num_labels == 3
    ReferenceConfig(hidden_size=48, num_attention_heads=6).save_pretrained(tmp_path / "theirs")
    assert BigBirdConfig.from_pretrained(tmp_path / "theirs").head_size == 8


def test_a_configuration_that_is_not_there_or_no_bigbird_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"config\.json"):
        BigBirdConfig.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="bert"):
        BigBirdConfig.from_pretrained(tmp_path)
    BigBirdConfig().save_pretrained(tmp_path)
    with pytest.raises(TypeError, match="hidden_sizes"):
        BigBirdConfig.from_pretrained(tmp_path, hidden_sizes=3)


def test_reads_and_is_read_by_transformers():
    reference = ReferenceConfig(num_labels=3, block_size=16, classifier_dropout=0.3, use_bias=False)
    ours = BigBirdConfig.from_dict(reference.to_dict())
    assert (ours.num_labels, ours.block_size, ours.classifier_dropout, ours.use_bias) == (3, 16, 0.3, False)
    back = ReferenceConfig.from_dict(ours.to_dict())
    assert back.id2label == reference.id2label
    assert back.to_dict() == {
        **reference.to_dict(),
        "random_pattern": "paper",
        "full_attention_up_to": 1024,
    }


@pytest.mark.parametrize(
    ("field", "value", "hint"),
    [
        ("hidden_act", "swish", "'gelu_new'"),
        ("hidden_act", abs, "'gelu_new'"),
        ("attention_type", "sparse", "'block_sparse' or 'original_full'"),
        ("random_pattern", None, "'paper'"),
        ("num_random_blocks", -1, "at least 0"),
        ("block_size", 0, "at least 1"),
        ("block_size", True, "at least 1"),
        ("hidden_size", 100, "multiple of 12"),
        ("hidden_dropout_prob", 1.0, "below 1"),
        ("layer_norm_eps", float("nan"), "above 0"),
        ("use_bias", 1, "True or False"),
        ("classifier_dropout", "a lot", "None or"),
        ("problem_type", "ranking", "'regression'"),
        ("id2label", {1: "A"}, "without a gap"),
        ("label2id", {"A": 5}, "below 2"),
        ("label2id", {"A": "first"}, "whole numbers"),
        ("id2label", {"first": "A"}, "whole numbers"),
        ("pad_token_id", 50358, "below vocab_size"),
        ("add_cross_attention", True, "is_decoder"),
        ("extra", {"position_embedding_type": "relative_key"}, "'absolute'"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(field, value, hint):
    with pytest.raises(ValueError, match=r"\[BB001\]") as caught:
        BigBirdConfig(**{field: value})
    assert hint in str(caught.value)
    expected_name = "position_embedding_type" if field == "extra" else field
    assert expected_name in str(caught.value).partition(" = ")[0]


def test_labels_follow_one_another():
    assert BigBirdConfig(num_labels=3).id2label == {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}
    named = BigBirdConfig.from_dict({"id2label": {"0": "PER", "1": "LOC", "2": "ORG"}})
    assert named.num_labels == 3
    assert named.label2id == {"PER": 0, "LOC": 1, "ORG": 2}
    assert named.replace(num_labels=1).id2label == {0: "LABEL_0"}
    assert named.replace(id2label={0: "X"}).label2id == {"X": 0}
    assert named.replace(hidden_act="relu").id2label == named.id2label
    with pytest.raises(ValueError, match="num_labels"):
        BigBirdConfig(num_labels=2, id2label={0: "A"})


def test_is_frozen_and_hashable():
    config = BigBirdConfig()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.hidden_size = 3
    assert hash(config) == hash(BigBirdConfig())
    assert config.replace(block_size=32) != config
    with pytest.raises(TypeError):
        config.replace(hidden_sizes=3)
