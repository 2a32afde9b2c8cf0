import pytest

from spacy_bigbird.checkpoint import hub
from spacy_bigbird.model import BigBirdModel
from spacy_bigbird.model.warm_start import warm_start
from spacy_bigbird.plan.config import BigBirdConfig
from spacy_bigbird.thinc_layers.checkpoints import Checkpoint
from spacy_bigbird.thinc_layers.settings import MAY_BE_LOWER, SHAPE_FIELDS, EncoderSettings
from spacy_bigbird.tokenizer import BigBirdTokenizer

WRONG = {
    "name": ["", 3],
    "revision": ["", 3],
    "vocab_file": ["", 3],
    "overlap": [-1, 1.5, True],
    "on_oversize": ["cut", None],
    "max_batch_pieces": [0, -5, "many", True],
    "precision": ["fp16", None],
    "mixed_precision": [1, "yes"],
    "gradient_checkpointing": [0],
    "attention_engine": ["flash", None],
    "freeze_layers": [-1, 1.0],
    "learning_rate_factor": [0, -0.1, True, "0.1"],
    "layer_learning_rate_decay": [0, 1.1, True, "0.9"],
    "map_whitespace": [None],
    "save_as": ["float64", "bfloat16"],
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_named_with_what_is_allowed(name):
    for value in WRONG[name]:
        with pytest.raises(ValueError, match=rf"BB135.*{name} = .*Expected"):
            EncoderSettings(**{name: value})


def test_a_checkpoint_brings_its_own_vocabulary():
    with pytest.raises(ValueError, match=r"BB135.*vocab_file"):
        EncoderSettings(name="checkpoint", vocab_file="spiece.model")


def test_the_nearest_field_is_suggested():
    with pytest.raises(ValueError, match=r"BB135.*hiddensize.*Did you mean 'hidden_size' for 'hiddensize'\?"):
        EncoderSettings(vocab_file="spiece.model", transformer_config={"hiddensize": 64})


def test_unknown_fields_of_the_encoder_are_named():
    with pytest.raises(ValueError, match=r"BB135.*hidden_sise"):
        EncoderSettings(transformer_config={"hidden_sise": 3})
    with pytest.raises(ValueError, match=r"BB001.*hidden_act"):
        EncoderSettings(transformer_config={"hidden_act": "tanh"})


@pytest.mark.parametrize(("positions", "overlap", "expected"), [(4096, None, (4094, 511)), (10, None, (8, 1))])
def test_overlap_is_an_eighth_of_a_window(positions, overlap, expected):
    config = BigBirdConfig(max_position_embeddings=positions)
    assert EncoderSettings(overlap=overlap).window_capacity(config) == expected


def test_an_explicit_overlap_is_below_half_of_a_window():
    config = {"max_position_embeddings": 102}
    assert EncoderSettings(overlap=49, transformer_config=config).overlap == 49
    with pytest.raises(ValueError, match=r"BB135.*overlap = 50.*below 50"):
        EncoderSettings(overlap=50, transformer_config=config)
    with pytest.raises(ValueError, match="BB135"):
        EncoderSettings(overlap=2047)
    # With a checkpoint the window is known when it is read.
    settings = EncoderSettings(name="checkpoint", overlap=3000)
    with pytest.raises(ValueError, match="BB135"):
        settings.apply_to(BigBirdConfig())
    assert settings.window_capacity(BigBirdConfig(max_position_embeddings=16384)) == (16382, 3000)


def test_only_fields_without_weights_change_a_checkpoint():
    config = BigBirdConfig()
    changes = {"random_pattern": "huggingface", "hidden_dropout_prob": 0.2, "full_attention_up_to": 0}
    changed = EncoderSettings(name="checkpoint", transformer_config=changes).apply_to(config)
    assert (changed.random_pattern, changed.hidden_dropout_prob, changed.full_attention_up_to) == (
        "huggingface",
        0.2,
        0,
    )
    assert EncoderSettings(name="checkpoint", transformer_config={"hidden_size": 768}).apply_to(config) == config
    for field in (*SHAPE_FIELDS, *MAY_BE_LOWER):
        value = getattr(config, field)
        other = "relu" if field == "hidden_act" else (not value if isinstance(value, bool) else value * 2)
        with pytest.raises(ValueError, match=rf"BB136.*{field}"):
            EncoderSettings(name="checkpoint", transformer_config={field: other}).apply_to(config)


def test_settings_keep_their_own_copy():
    given = {"hidden_size": 64, "num_attention_heads": 4}
    settings = EncoderSettings(transformer_config=given)
    given["hidden_size"] = 32
    assert settings.transformer_config["hidden_size"] == 64


def test_weights_and_vocabulary_are_of_the_revision_in_the_settings(vocab_file, tmp_path, monkeypatch):
    tokenizer = BigBirdTokenizer(vocab_file)
    config = BigBirdConfig(**{**tokenizer.config_fields, "hidden_size": 8, "num_attention_heads": 2})
    BigBirdModel.build(config.replace(num_hidden_layers=1, intermediate_size=8)).save_pretrained(tmp_path)
    tokenizer.save_vocabulary(tmp_path)
    asked = []

    def snapshot(name, **options):
        asked.append((name, options["revision"]))
        return str(tmp_path)

    monkeypatch.setattr(hub, "snapshot_download", snapshot)
    Checkpoint.load(EncoderSettings(name="toy/bigbird", revision="v1"))
    BigBirdConfig.from_pretrained("toy/bigbird", revision="v1")
    warm_start("toy/bigbird", revision="v1", max_position_embeddings=64)
    assert set(asked) == {("toy/bigbird", "v1")} and len(asked) >= 4
    with pytest.raises(ValueError, match=r"BB135.*revision = 'v1'.*null without `name`"):
        EncoderSettings(vocab_file=str(vocab_file), revision="v1")
