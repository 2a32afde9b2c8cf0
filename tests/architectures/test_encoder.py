"""The architectures as a user of configs meets them."""

import numpy
import pytest
import spacy
import torch
from spacy.cli.find_function import find_function
from spacy.cli.init_config import fill_config
from spacy.tokens import DocBin
from spacy.util import fix_random_seed, load_config, registry
from thinc.api import Adam
from typer.testing import CliRunner

from spacy_bigbird.architectures.encoder import build_bigbird_model_v1
from spacy_bigbird.thinc_layers.encoder_wrapper import get_shim

from ..first_import import exit_without_side_effects
from ..processes import start
from ..toy_pipelines import ODD_TEXTS, add_head, encoder_model, make_examples, make_pipeline, own_encoder, rows_of

NAMES = ["BigBirdModel", "BigBirdTok2Vec", "PieceListener"]

SHARED = """
[paths]
train = null
dev = null

[nlp]
lang = "en"
pipeline = ["bigbird", "tagger"]
batch_size = 16

[components]

[components.bigbird]
factory = "bigbird"

[components.bigbird.model]
@architectures = "spacy-bigbird.BigBirdModel.v1"
name = "google/bigbird-roberta-base"
transformer_config = {"random_pattern": "huggingface"}

[components.tagger]
factory = "tagger"

[components.tagger.model]
@architectures = "spacy.Tagger.v2"

[components.tagger.model.tok2vec]
@architectures = "spacy-transformers.TransformerListener.v1"
pooling = {"@layers": "reduce_mean.v1"}
"""


@pytest.mark.parametrize("name", NAMES)
def test_found_by_name_with_their_place(name, capsys):
    find_function(f"spacy-bigbird.{name}.v1", registry_name="architectures")
    assert "spacy_bigbird/architectures/encoder.py" in "".join(capsys.readouterr().out.split())


def unshared_pipeline(vocab_file):
    fix_random_seed(0)
    nlp = spacy.blank("en")
    nlp.add_pipe("tagger", config={"model": {"tok2vec": own_encoder(vocab_file, pooling="reduce_first.v1")}})
    return nlp


def test_unshared_encoder_trains_and_survives_the_disk(vocab_file, tmp_path):
    nlp = unshared_pipeline(vocab_file)
    examples = make_examples(nlp, odd=True)
    nlp.initialize(lambda: examples)
    module = get_shim(nlp.get_pipe("tagger").model).module
    before = [p.detach().clone() for p in module.parameters()]
    optimizer = Adam(0.01)
    for _ in range(25):
        nlp.update(examples, sgd=optimizer)
    assert any(not torch.equal(p, old) for p, old in zip(module.parameters(), before, strict=True))
    for example in examples:
        if example.reference[:1].text in ("Anna", "He", "Paris", "They"):
            tags = [token.tag_ for token in nlp(example.predicted.copy())]
            assert tags == [token.tag_ for token in example.reference]
    texts = [eg.text for eg in examples] + ODD_TEXTS
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert [[t.tag_ for t in d] for d in loaded.pipe(texts)] == [[t.tag_ for t in d] for d in nlp.pipe(texts)]


def test_unshared_equals_shared(vocab_file):
    shared = make_pipeline(vocab_file)
    shared.initialize()
    nlp = unshared_pipeline(vocab_file)
    nlp.initialize(lambda: make_examples(nlp))
    tok2vec = nlp.get_pipe("tagger").model.get_ref("tok2vec")
    get_shim(tok2vec).from_bytes(shared.get_pipe("bigbird").shim.to_bytes())
    doc = shared("They sell old\n\nbooks . " * 20)
    align, (vectors,) = doc._.trf_data.align, tok2vec.predict([doc])
    firsts = numpy.cumsum(align.lengths) - align.lengths
    for token, vector in enumerate(vectors):
        rows = rows_of(doc)[align.dataXd[firsts[token] : firsts[token] + align.lengths[token]]]
        numpy.testing.assert_allclose(vector, rows[0] if len(rows) else numpy.zeros(32), atol=1e-5)


def test_without_pooling_whole_documents(vocab_file):
    build = registry.architectures.get("spacy-bigbird.BigBirdTok2Vec.v1")
    section = encoder_model(vocab_file)
    section.pop("@architectures")
    model = build(build_bigbird_model_v1(**section), None, 1.0)
    docs = [spacy.blank("en").make_doc(text) for text in ("tea", "", "old books " * 60)]
    model.initialize(X=docs)
    assert model.get_dim("nO") == 32
    outputs, backprop = model.begin_update(docs)
    assert [len(output.window_cls) for output in outputs] == [len(output.window_lengths) for output in outputs]
    backprop(outputs)
    assert get_shim(model).module.encoder.layers[0].attention.output.weight.grad.abs().sum() > 0


def test_config_is_filled_once_and_for_all(tmp_path):
    (tmp_path / "base.cfg").write_text(SHARED)
    _, once = fill_config(tmp_path / "once.cfg", tmp_path / "base.cfg", silent=True)
    _, twice = fill_config(tmp_path / "twice.cfg", tmp_path / "once.cfg", silent=True)
    assert dict(once) == dict(twice)
    model = load_config(tmp_path / "once.cfg")["components"]["bigbird"]["model"]
    assert model["name"] == "google/bigbird-roberta-base"
    assert model["transformer_config"] == {"random_pattern": "huggingface"}
    assert (model["overlap"], model["on_oversize"], model["max_batch_pieces"]) == (None, "window", 16384)
    assert model["precision"] == "fp32" and model["freeze_layers"] == 0 and model["mixed_precision"] is False


def test_debug_config_accepts_the_config(tmp_path):
    (tmp_path / "base.cfg").write_text(SHARED)
    fill_config(tmp_path / "full.cfg", tmp_path / "base.cfg", silent=True)
    arguments = ["debug", "config", str(tmp_path / "full.cfg"), "--paths.train", "a", "--paths.dev", "b"]
    result = CliRunner().invoke(spacy.cli.app, arguments)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("name", ["transformer", "tagger"])
def test_debug_model_runs(vocab_file, tmp_path, name):
    """spaCy looks for a component called `transformer` where it finds a stock listener."""
    nlp = spacy.blank("en")
    nlp.add_pipe("bigbird", name="transformer", config={"model": encoder_model(vocab_file)})
    add_head(nlp, "tagger")
    DocBin(docs=[example.reference for example in make_examples(nlp)]).to_disk(tmp_path / "train.spacy")
    config = nlp.config.merge({"paths": {"train": str(tmp_path / "train.spacy"), "dev": str(tmp_path / "train.spacy")}})
    config.to_disk(tmp_path / "full.cfg")
    result = CliRunner().invoke(
        spacy.cli.app, ["debug", "model", str(tmp_path / "full.cfg"), name, "-P1", "-P2", "-P3"]
    )
    assert result.exit_code == 0, result.output


def test_unknown_settings_are_reported_with_their_path(tmp_path):
    with pytest.raises(ValueError, match="max_batch_piece"):
        nlp = spacy.blank("en")
        model = {"@architectures": "spacy-bigbird.BigBirdModel.v1", "max_batch_piece": 3}
        nlp.add_pipe("bigbird", config={"model": model})


def test_factories_import_without_side_effects():
    process = start(exit_without_side_effects)
    process.join(120)
    assert process.exitcode == 0
