"""What each system changes in a config, and that spaCy can make a pipeline of it."""

import pytest
from spacy.util import load_config, load_model_from_config

from spacy_bigbird.bakeoff.systems import READINGS, SYSTEMS, TFIDF, TOK2VEC, WHOLE, check_systems, variant
from spacy_bigbird.cli.bakeoff import ALL_SYSTEMS
from tests.toy_pipelines import add_head, make_pipeline

from .toy import write_config


@pytest.fixture(scope="module")
def config(vocab_file, tmp_path_factory):
    return write_config(tmp_path_factory.mktemp("bakeoff"), vocab_file)


@pytest.mark.parametrize("system", sorted(READINGS))
def test_only_what_the_encoder_sees_at_once_is_changed(config, system):
    before = config.to_str(interpolate=False)
    changed = variant(config, system)
    assert config.to_str(interpolate=False) == before
    model = changed["components"]["bigbird"]["model"]
    pieces, overlap, on_oversize = READINGS[system]
    assert model["transformer_config"]["max_position_embeddings"] == pieces + 2
    assert (model["overlap"], model["on_oversize"]) == (overlap, on_oversize)
    changed["components"]["bigbird"]["model"] = config["components"]["bigbird"]["model"]
    assert changed.to_str(interpolate=False) == before
    assert variant(config, WHOLE).to_str(interpolate=False) == before


def test_tok2vec_takes_the_place_of_the_encoder(config):
    nlp = load_model_from_config(variant(config, TOK2VEC), auto_fill=True)
    assert nlp.get_pipe_meta("bigbird").factory == "tok2vec"
    listener = nlp.config["components"]["bigbird_textcat"]["model"]["tok2vec"]
    assert listener == {"@architectures": "spacy.Tok2VecListener.v1", "width": 96, "upstream": "*"}
    assert nlp.config["training"]["optimizer"]["learn_rate"] == 0.001


@pytest.mark.parametrize("head", ["ner", "tagger", "spancat", "textcat"])
def test_heads_of_spacy_too(vocab_file, head):
    nlp = make_pipeline(vocab_file)
    add_head(nlp, head)
    changed = load_model_from_config(variant(nlp.config, TOK2VEC), auto_fill=True)
    assert "spacy-transformers" not in changed.config.to_str() and "spacy-bigbird" not in changed.config.to_str()


def test_cls_has_no_counterpart(config):
    cases = [(1, "cls", "mean"), (1, "max", "max"), (2, ["cls"], ["mean"]), (2, ["cls", "std"], ["std"])]
    for version, given, expected in cases:
        changed = config.copy()
        model = changed["components"]["bigbird_textcat"]["model"]
        model |= {"@architectures": f"spacy-bigbird.TextClassifier.v{version}", "pooling": given}
        assert variant(changed, TOK2VEC)["components"]["bigbird_textcat"]["model"]["pooling"] == expected


def test_what_cannot_be_compared(config):
    with pytest.raises(ValueError, match=r"BB750.*'windows_64'"):
        check_systems(["whole", "windows_64"])
    check_systems(SYSTEMS)
    assert tuple(ALL_SYSTEMS.split(",")) == SYSTEMS and TFIDF in SYSTEMS
    for system in (TOK2VEC, "first_512"):
        with pytest.raises(ValueError, match="BB751"):
            variant(load_config("configs/span_qa.cfg", interpolate=False), system)
