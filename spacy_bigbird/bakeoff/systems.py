"""The systems to compare, each made of one training config."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from thinc.api import Config

from ..errors import Errors

WHOLE, TFIDF, TOK2VEC = "whole", "tfidf", "tok2vec"


class Reading(NamedTuple):
    """How much an encoder sees at once.

    pieces (int): size of a window, without [CLS] and [SEP].
    overlap (int | None): pieces that neighbouring windows share; None for an eighth.
    on_oversize (str): what happens to the rest of a document, as in the encoder's settings.
    """

    pieces: int
    overlap: int | None
    on_oversize: str


READINGS = {
    "windows_512": Reading(512, None, "window"),
    "windows_128": Reading(128, 32, "window"),
    "first_512": Reading(512, None, "truncate"),
}
SYSTEMS = (WHOLE, *READINGS, TFIDF, TOK2VEC)
NAMES = {
    WHOLE: "whole documents",
    "windows_512": "same encoder, windows of 512 pieces",
    "windows_128": "same encoder, windows of 128/96",
    "first_512": "same encoder, first 512 pieces",
    TFIDF: "TF-IDF and logistic regression",
    TOK2VEC: "spaCy tok2vec",
}
ENCODERS = ("spacy-bigbird.BigBirdModel.",)
LISTENERS = ("spacy-bigbird.PieceListener.", "spacy-bigbird.LayerMix.", "spacy-transformers.TransformerListener.")
# As `spacy init config` has them for CPU.
WIDTH, TOK2VEC_RATE = 96, 0.001
TOK2VEC_MODEL = {
    "@architectures": "spacy.Tok2Vec.v2",
    "embed": {
        "@architectures": "spacy.MultiHashEmbed.v2",
        "width": WIDTH,
        "attrs": ["NORM", "PREFIX", "SUFFIX", "SHAPE"],
        "rows": [5000, 1000, 2500, 2500],
        "include_static_vectors": False,
    },
    "encode": {
        "@architectures": "spacy.MaxoutWindowEncoder.v2",
        "width": WIDTH,
        "depth": 4,
        "window_size": 1,
        "maxout_pieces": 3,
    },
}


def check_systems(systems: Sequence[str]) -> None:
    """RAISES ValueError: one of the names is not that of a system."""
    for system in systems:
        if system not in SYSTEMS:
            raise ValueError(Errors.BB750.format(system=system, known=", ".join(SYSTEMS)))


def variant(config: Config, system: str) -> Config:
    """Make the config of a system.

    config (Config): the config of `whole`, not interpolated. It is not changed.
    system (str): one of SYSTEMS, other than TFIDF.
    RETURNS (Config): the config.
    RAISES ValueError: the config has no encoder that could be changed.
    """
    changed = config.copy()
    if system in READINGS:
        reading = READINGS[system]
        encoders = list(_blocks(changed["components"], ENCODERS))
        if not encoders:
            raise ValueError(Errors.BB751.format(system=system))
        for block in encoders:
            shape = {**block.get("transformer_config", {}), "max_position_embeddings": reading.pieces + 2}
            block |= {"transformer_config": shape, "overlap": reading.overlap, "on_oversize": reading.on_oversize}
    if system == TOK2VEC:
        _replace_encoder(changed)
    return changed


def _replace_encoder(config: Config) -> None:
    """Put spaCy's tok2vec in the encoder's place. It is trained as a whole, at spaCy's usual rate."""
    names = [name for name, block in config["components"].items() if any(_blocks(block, ENCODERS))]
    if not names:
        raise ValueError(Errors.BB751.format(system=TOK2VEC))
    for name in names:
        config["components"][name] = {"factory": "tok2vec", "model": TOK2VEC_MODEL}
    for block in _blocks(config["components"], LISTENERS):
        upstream = block.get("upstream", "*")
        block.clear()
        block |= {"@architectures": "spacy.Tok2VecListener.v1", "width": WIDTH, "upstream": upstream}
    for block in _blocks(config["components"], ("spacy-bigbird.TextClassifier.",)):
        # There is no [CLS].
        if isinstance(block.get("pooling"), list):
            block["pooling"] = [name for name in block["pooling"] if name != "cls"] or ["mean"]
        elif block.get("pooling", "cls") == "cls" and block["@architectures"].endswith(".v1"):
            block["pooling"] = "mean"
    training = config["training"]
    for key in ("frozen_components", "annotating_components"):
        training[key] = [name for name in training.get(key, []) if name not in names]
    training["optimizer"] = {**training.get("optimizer", {"@optimizers": "Adam.v1"}), "learn_rate": TOK2VEC_RATE}


def _blocks(config: Any, prefixes: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """YIELDS (dict[str, Any]): the blocks whose architecture begins with one of the prefixes, wherever they are."""
    if isinstance(config, dict):
        if str(config.get("@architectures", "")).startswith(prefixes):
            yield config
        for value in list(config.values()):
            yield from _blocks(value, prefixes)
