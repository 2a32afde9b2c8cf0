"""A listener without an upstream component is named with what to do about it."""

import pytest
import spacy
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train

from spacy_bigbird.check.listeners import find_frozen_problems, find_listener_problems, find_training_problems

from ..toy_pipelines import make_examples, make_pipeline

TINY = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
    "block_size": 16,
}


def tagger(upstream: str = "*", architecture: str = "spacy-transformers.TransformerListener.v1") -> dict:
    tok2vec = {"@architectures": architecture, "upstream": upstream, "grad_factor": 1.0}
    if "Tok2Vec" in architecture:
        tok2vec = {"@architectures": architecture, "upstream": upstream, "width": 96}
    else:
        tok2vec["pooling"] = {"@layers": "reduce_mean.v1"}
    return {"model": {"@architectures": "spacy.Tagger.v2", "tok2vec": tok2vec}}


def test_good_pipelines_have_no_problems():
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("bigbird")
    nlp.add_pipe("tagger", config=tagger())
    nlp.add_pipe("tagger", name="second", config=tagger("bigbird"))
    nlp.add_pipe("tok2vec")
    nlp.add_pipe("tagger", name="third", config=tagger("tok2vec", "spacy.Tok2VecListener.v1"))
    nlp.add_pipe("tagger", name="own")
    assert find_listener_problems(nlp) == []


def test_a_head_before_its_encoder():
    nlp = spacy.blank("en")
    nlp.add_pipe("tagger", config=tagger())
    nlp.add_pipe("bigbird")
    (problem,) = find_listener_problems(nlp)
    assert "[BB381] Component 'tagger' listens to '*'" in problem and "Move 'bigbird' before 'tagger'" in problem


def test_a_misspelt_upstream():
    nlp = spacy.blank("en")
    nlp.add_pipe("bigbird")
    nlp.add_pipe("tagger", config=tagger("bigbrid"))
    (problem,) = find_listener_problems(nlp)
    assert "'bigbrid'" in problem and "Set upstream = 'bigbird'" in problem


def test_an_upstream_of_the_wrong_kind_and_none_at_all():
    nlp = spacy.blank("en")
    nlp.add_pipe("tok2vec")
    nlp.add_pipe("tagger", config=tagger("tok2vec"))
    nlp.add_pipe("morphologizer", config=tagger())
    first, second = find_listener_problems(nlp)
    assert "'tagger'" in first and "'morphologizer'" in second and "Add such a component" in first


def test_a_frozen_encoder_needs_weights_from_somewhere(vocab_file):
    nlp = spacy.blank("en")
    encoder = {"vocab_file": str(vocab_file), "transformer_config": TINY}
    nlp.add_pipe("bigbird", config={"model": {"@architectures": "spacy-bigbird.BigBirdModel.v1", **encoder}})
    nlp.add_pipe("sentencizer")
    assert find_frozen_problems(nlp, ["sentencizer"]) == []
    (problem,) = find_frozen_problems(nlp, ["bigbird", "sentencizer"])
    assert "[BB385] Component 'bigbird' is in frozen_components" in problem and "freeze_layers" in problem
    # What `source` brings along has weights.
    nlp.initialize()
    assert find_frozen_problems(nlp, ["bigbird", "sentencizer"]) == []


def test_heads_that_could_not_be_trained_are_named(vocab_file):
    nlp = make_pipeline(vocab_file, heads=("tagger",))
    assert find_training_problems(nlp, [], []) == []
    nlp.initialize(lambda: make_examples(nlp))
    assert find_training_problems(nlp, [], []) == []
    (problem,) = find_training_problems(nlp, ["bigbird"], [])
    assert "[BB669] Component 'bigbird' is in frozen_components but not in annotating_components" in problem
    assert find_training_problems(nlp, ["bigbird"], ["bigbird"]) == []
    assert find_training_problems(nlp, ["bigbird", "tagger"], []) == []
    fresh = make_pipeline(vocab_file)
    fresh.add_pipe("tagger", source=nlp)
    (problem,) = find_training_problems(fresh, [], [])
    assert "[BB670] Component 'tagger' comes from a saved pipeline, but its encoder 'bigbird' is new" in problem


@pytest.mark.parametrize("case", ["as it should be", "frozen encoder", "new encoder"])
def test_heads_that_could_not_be_trained_stop_spacy_train(case, vocab_file, tmp_path):
    nlp = make_pipeline(vocab_file, heads=("tagger",))
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    nlp.to_disk(tmp_path / "saved")
    DocBin(docs=[example.reference for example in examples]).to_disk(tmp_path / "train.spacy")
    config = nlp.config
    config["paths"].update(train=str(tmp_path / "train.spacy"), dev=str(tmp_path / "train.spacy"))
    config["training"]["max_steps"] = 1
    config["components"]["tagger"] = {"source": str(tmp_path / "saved")}
    if case != "new encoder":
        config["components"]["bigbird"] = {"source": str(tmp_path / "saved")}
    if case == "frozen encoder":
        config["training"]["frozen_components"] = ["bigbird"]
    if case == "as it should be":
        assert train(init_nlp(config))
    else:
        with pytest.raises(ValueError, match="E203"):
            train(init_nlp(config))
