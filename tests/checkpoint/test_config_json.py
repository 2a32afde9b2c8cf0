"""config.json in and out, and every way in which it can be the wrong one."""

import json

import pytest
import transformers

from spacy_bigbird.checkpoint.config_json import read_config, write_config


def test_what_transformers_writes_is_read(tmp_path):
    theirs = transformers.BigBirdConfig(num_labels=3, hidden_size=24, my_own_key={"kept": [1, 2]})
    theirs.save_pretrained(tmp_path)
    values = read_config(tmp_path)
    assert (values["hidden_size"], values["my_own_key"], values["model_type"]) == (24, {"kept": [1, 2]}, "big_bird")
    assert values["id2label"] == {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}


def test_what_we_write_is_read_by_transformers_and_by_us(tmp_path):
    values = {"hidden_size": 24, "id2label": {0: "no", 1: "yes"}, "label2id": {"no": 0, "yes": 1}, "my_own_key": "kept"}
    write_config(tmp_path, {**values, "architectures": ["Other"]}, "BigBirdForQuestionAnswering", "bfloat16")
    theirs = transformers.AutoConfig.from_pretrained(tmp_path)
    assert isinstance(theirs, transformers.BigBirdConfig)
    assert (theirs.hidden_size, theirs.id2label, theirs.my_own_key) == (24, {0: "no", 1: "yes"}, "kept")
    assert theirs.architectures == ["BigBirdForQuestionAnswering"]
    assert read_config(tmp_path)["torch_dtype"] == "bfloat16"
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_a_type_under_its_newer_name_follows_the_weights(tmp_path):
    write_config(tmp_path, {"dtype": "bfloat16", "torch_dtype": "bfloat16"}, "BigBirdModel", "float32")
    values = read_config(tmp_path)
    assert (values["dtype"], values["torch_dtype"]) == ("float32", "float32")


def test_a_failed_write_leaves_the_old_file(tmp_path):
    write_config(tmp_path, {"hidden_size": 24}, "BigBirdModel")
    with pytest.raises(TypeError):
        write_config(tmp_path, {"hidden_size": object()}, "BigBirdModel")
    assert read_config(tmp_path)["hidden_size"] == 24
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"BB051.*config\.json does not exist"):
        read_config(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"model_type": "big_bird"', "\x00"])
def test_a_corrupt_file_is_named(content, tmp_path):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ValueError, match=r"BB052.*config\.json"):
        read_config(tmp_path)


@pytest.mark.parametrize("model_type", ["bert", "bigbird_pegasus", None])
def test_another_type_of_model_is_refused_with_the_fix(model_type, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    with pytest.raises(ValueError, match=rf"BB053.*config\.json.*{model_type!r}.*'big_bird'.*warm_start"):
        read_config(tmp_path)


def test_a_caller_may_accept_other_types(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    assert read_config(tmp_path, ("bert", "roberta")) == {"model_type": "bert"}
