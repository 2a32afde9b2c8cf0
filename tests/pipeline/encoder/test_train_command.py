"""`spacy train` from a config: initialisation, evaluation, saving the best pipeline, sourced and frozen components."""

import numpy
import pytest
import spacy
from spacy.cli.init_pipeline import init_labels_cli
from spacy.cli.train import train
from spacy.tokens import DocBin
from spacy.util import load_config

from ...toy_pipelines import ODD_TEXTS, encoder_weights, make_examples, make_pipeline, snapshot

TRAINING = {
    "seed": 0,
    "max_steps": 6,
    "eval_frequency": 3,
    "accumulate_gradient": 1,
    "optimizer": {"@optimizers": "Adam.v1", "learn_rate": 0.01, "use_averages": False},
    "batcher": {"@batchers": "spacy.batch_by_sequence.v1", "size": 4},
}


@pytest.fixture
def config(vocab_file, tmp_path):
    """A complete config of an encoder with a tagger and an entity recognizer; its corpus has odd documents too."""
    nlp = make_pipeline(vocab_file, ("tagger", "ner"))
    documents = [example.reference for example in make_examples(nlp, odd=True)]
    DocBin(docs=documents).to_disk(tmp_path / "corpus.spacy")
    paths = {"train": str(tmp_path / "corpus.spacy"), "dev": str(tmp_path / "corpus.spacy")}
    return nlp.config.merge({"paths": paths, "training": TRAINING})


def run(config, folder, **changes):
    config.merge(changes).to_disk(folder / "config.cfg")
    train(folder / "config.cfg", folder / "out")
    return spacy.load(folder / "out" / "model-last")


def tag_accuracy(nlp):
    return nlp.evaluate(make_examples(nlp))["tag_acc"]


@pytest.mark.parametrize("use_averages", [False, True])
def test_training_from_a_config(config, tmp_path, use_averages):
    optimizer = {**TRAINING["optimizer"], "use_averages": use_averages}
    nlp = run(config, tmp_path, training={"max_steps": 15, "optimizer": optimizer})
    assert tag_accuracy(nlp) > 0.6
    assert [len(doc) for doc in nlp.pipe(ODD_TEXTS)] == [len(nlp.make_doc(text)) for text in ODD_TEXTS]
    assert (tmp_path / "out" / "model-best" / "bigbird" / "model.safetensors").exists()


def test_the_same_seed_gives_the_same_pipeline(config, tmp_path):
    found = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        found.append(encoder_weights(run(config, tmp_path / name)))
    numpy.testing.assert_array_equal(found[0], found[1])


def head_weights(nlp, name):
    nodes = nlp.get_pipe(name).model.walk()
    return [node.get_param(param) for node in nodes for param in node.param_names if node.has_param(param)]


def sourced_config(config, tmp_path, nlp, frozen, annotating):
    nlp.to_disk(tmp_path / "source")
    source = {"source": str(tmp_path / "source")}
    changed = config.copy()
    changed["components"] = {"bigbird": source, "tagger": source, "ner": source}
    changed["training"].update(frozen_components=frozen, annotating_components=annotating)
    return changed


@pytest.mark.parametrize("keep_vectors", ["float32", "none"])
@pytest.mark.parametrize(
    ("frozen", "annotating", "moves"),
    [(["ner"], [], True), (["tagger"], ["bigbird", "tagger"], True), (["bigbird", "ner"], ["bigbird"], False)],
)
def test_sourced_and_frozen_components(config, tmp_path, vocab_file, frozen, annotating, moves, keep_vectors):
    nlp = make_pipeline(vocab_file, ("tagger", "ner"), keep_vectors=keep_vectors)
    nlp.initialize(lambda: make_examples(nlp))
    before = encoder_weights(nlp)
    changed = sourced_config(config, tmp_path, nlp, frozen, annotating)
    trained = run(changed, tmp_path)
    assert bool(abs(encoder_weights(trained) - before).max() > 1e-3) == moves
    for name in frozen:
        if name != "bigbird":
            for now, then in zip(head_weights(trained, name), head_weights(nlp, name), strict=True):
                numpy.testing.assert_array_equal(now, then)
    assert (trained("old books")._.trf_data is None) == (keep_vectors == "none")


def test_listeners_replaced_while_sourcing_frozen_components(config, tmp_path, vocab_file):
    nlp = make_pipeline(vocab_file, ("tagger", "ner"))
    nlp.initialize(lambda: make_examples(nlp))
    expected = [snapshot(doc)["ents"] for doc in nlp.pipe(["Anna met Boris in London ."])]
    changed = sourced_config(config, tmp_path, nlp, ["ner"], [])
    changed["components"]["ner"] = {"source": str(tmp_path / "source"), "replace_listeners": ["model.tok2vec"]}
    trained = run(changed, tmp_path)
    assert [snapshot(doc)["ents"] for doc in trained.pipe(["Anna met Boris in London ."])] == expected
    assert load_config(tmp_path / "out" / "model-last" / "config.cfg")["components"]["ner"]["model"]["tok2vec"][
        "@architectures"
    ].startswith("spacy-bigbird.BigBirdTok2Vec")


def test_labels_are_written_for_the_heads_alone(config, tmp_path):
    config.to_disk(tmp_path / "config.cfg")

    class Context:
        args = ()

    init_labels_cli(Context(), tmp_path / "config.cfg", tmp_path / "labels", None, False, -1)
    assert {path.name for path in (tmp_path / "labels").iterdir()} == {"tagger.json", "ner.json"}
