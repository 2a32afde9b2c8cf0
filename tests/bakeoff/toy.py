"""A config and documents whose labels only their ends tell."""

import random

import spacy
from spacy.tokens import Doc, DocBin
from spacy.util import load_config

from tests.toy_pipelines import encoder_model, make_pipeline

WORDS = ("Anna", "met", "Boris", "in", "London", "He", "likes", "green", "tea", "They", "sell", "old", "books", "far")
LENGTH = 60


def make_doc(vocab, label, seed):
    """A document that ends with the name of its label: after the first pieces that a short encoder reads."""
    words = random.Random(seed).choices(WORDS, k=LENGTH) + [{"TEA": "tea", "BOOK": "books"}[label]] * 12
    doc = Doc(vocab, words=words)
    doc.cats = {name: float(name == label) for name in ("TEA", "BOOK")}
    return doc


def write_corpora(folder, sizes=(("train", 24), ("dev", 8), ("test", 12))):
    vocab = spacy.blank("en").vocab
    for number, (part, size) in enumerate(sizes):
        docs = [make_doc(vocab, ("TEA", "BOOK")[index % 2], 1000 * number + index) for index in range(size)]
        DocBin(docs=docs, store_user_data=True).to_disk(folder / f"{part}.spacy")


def write_config(folder, vocab_file, factory="bigbird_textcat", **training):
    """A training config with a frozen encoder whose documents are read whole, in two windows."""
    nlp = make_pipeline(vocab_file)
    nlp.get_pipe("bigbird").model.initialize()
    nlp.get_pipe("bigbird").to_disk(folder / "encoder")
    encoder = encoder_model(vocab_file, freeze_layers=2)
    encoder |= {"name": str(folder / "encoder"), "vocab_file": None, "transformer_config": {}}
    head = {
        "@architectures": "spacy-bigbird.TextClassifier.v2",
        "pooling": ["mean", "max"],
        "tok2vec": {"@architectures": "spacy-bigbird.PieceListener.v2", "layers": [0]},
    }
    nlp = spacy.blank("en")
    nlp.add_pipe("bigbird", config={"model": encoder, "cache_dir": str(folder / "cache"), "keep_vectors": "none"})
    nlp.add_pipe(factory, config={"model": head, "evidence_share": 0.0})
    config = nlp.config.copy()
    config["paths"] |= {part: str(folder / f"{part}.spacy") for part in ("train", "dev")}
    config["training"] |= {"max_steps": 30, "eval_frequency": 10, "patience": 0, "dropout": 0.0, **training}
    config["training"]["optimizer"]["learn_rate"] = 0.05
    # spaCy has defaults for what is left out.
    for part in ("train", "dev"):
        config["corpora"][part] = {"@readers": "spacy.Corpus.v1", "path": f"${{paths.{part}}}"}
    config.to_disk(folder / "config.cfg")
    return load_config(folder / "config.cfg", interpolate=False)
