"""Pipelines around a tiny encoder with random weights, and a few examples to train them on."""

from typing import Any

import numpy
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

# Sparse from 33 pieces on, windows from 63 on: short texts reach every path.
TINY_ENCODER = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "block_size": 8,
    "num_random_blocks": 1,
    "full_attention_up_to": 32,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}

SENTENCES = [
    ("Anna met Boris in London .", ["PROPN", "VERB", "PROPN", "ADP", "PROPN", "PUNCT"]),
    ("He likes green tea .", ["PRON", "VERB", "ADJ", "NOUN", "PUNCT"]),
    ("Paris is far from Berlin .", ["PROPN", "VERB", "ADV", "ADP", "PROPN", "PUNCT"]),
    ("They sell old books .", ["PRON", "VERB", "ADJ", "NOUN", "PUNCT"]),
]
PLACES = {"London", "Paris", "Berlin"}
ODD_TEXTS = ["", " ", "\n\n \t", "x", "\n" * 5000]


def encoder_model(vocab_file: Any, transformer_config: dict[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
    """The model section of a tiny encoder."""
    return {
        "@architectures": "spacy-bigbird.BigBirdModel.v1",
        "vocab_file": str(vocab_file),
        "transformer_config": {**TINY_ENCODER, **(transformer_config or {})},
        **settings,
    }


def listener(pooling: str = "reduce_mean.v1", **settings: Any) -> dict[str, Any]:
    """The model section of a stock listener."""
    architecture = "spacy-transformers.TransformerListener.v1"
    return {"@architectures": architecture, "grad_factor": 1.0, "pooling": {"@layers": pooling}, **settings}


def own_encoder(vocab_file: Any, version: int = 1, pooling: str = "reduce_mean.v1", **settings: Any) -> dict[str, Any]:
    """The section of a component's model for a tiny encoder that no other component shares."""
    architecture = f"spacy-bigbird.BigBirdTok2Vec.v{version}"
    encoder = encoder_model(vocab_file)
    return {"@architectures": architecture, "encoder": encoder, "pooling": {"@layers": pooling}, **settings}


def make_pipeline(
    vocab_file: Any, heads: tuple[str, ...] = (), keep_vectors: str = "float32", **settings: Any
) -> Language:
    """A pipeline of a tiny encoder and stock components that listen to it, not initialised."""
    nlp = spacy.blank("en")
    nlp.add_pipe("bigbird", config={"keep_vectors": keep_vectors, "model": encoder_model(vocab_file, **settings)})
    for head in heads:
        add_head(nlp, head)
    return nlp


def add_head(nlp: Language, head: str, **tok2vec: Any) -> None:
    """Add a stock component that listens."""
    model: dict[str, Any] = {"tok2vec": listener(**tok2vec)}
    if head.startswith("textcat"):
        exclusive = head == "textcat"
        model = {
            "@architectures": "spacy.TextCatEnsemble.v2",
            "tok2vec": model["tok2vec"],
            "linear_model": {
                "@architectures": "spacy.TextCatBOW.v3",
                "exclusive_classes": exclusive,
                "length": 1024,
                "ngram_size": 1,
                "no_output_layer": False,
            },
        }
    # The parser drops transitions that it sees rarely: here all of them are rare.
    nlp.add_pipe(head, config={"model": model, **({"min_action_freq": 1} if head == "parser" else {})})


def make_examples(nlp: Language, odd: bool = False) -> list[Example]:
    """Examples with gold for every stock head; with `odd`, empty and strange documents stand between them."""
    examples = []
    for number, (text, tags) in enumerate(SENTENCES):
        words = text.split()
        doc = Doc(nlp.vocab, words=words)
        places = [(doc[i].idx, doc[i].idx + len(word), "PLACE") for i, word in enumerate(words) if word in PLACES]
        gold = {
            "entities": places,
            "tags": tags,
            "cats": {"TRAVEL": float(bool(places)), "OTHER": float(not places)},
            "spans": {"sc": places},
            "heads": [1] * len(words),
            "deps": ["ROOT" if i == 1 else "dep" for i in range(len(words))],
        }
        examples.append(Example.from_dict(doc, gold))
        if odd:
            examples.append(Example.from_dict(nlp.make_doc(ODD_TEXTS[number]), {}))
    if odd:
        examples.insert(0, Example.from_dict(nlp.make_doc(ODD_TEXTS[-1]), {}))
    return examples


def encoder_weights(nlp: Language, name: str = "bigbird") -> numpy.ndarray:
    """All weights of a pipeline's encoder in one row."""
    module = nlp.get_pipe(name).shim.module
    return numpy.concatenate([p.detach().numpy().ravel() for p in module.parameters()])


def rows_of(doc: Doc) -> numpy.ndarray:
    """The encoder's rows on a document."""
    return doc._.trf_data.model_output["last_hidden_state"][0]


def snapshot(doc: Doc) -> dict[str, Any]:
    """Everything that stock heads predict."""
    return {
        "ents": [(ent.start, ent.end, ent.label_) for ent in doc.ents],
        "tags": [token.tag_ for token in doc],
        "heads": [token.head.i for token in doc],
        "deps": [token.dep_ for token in doc],
        "cats": {label: round(score, 3) for label, score in doc.cats.items()},
        "spans": {key: sorted((s.start, s.end, s.label_) for s in group) for key, group in doc.spans.items()},
    }
