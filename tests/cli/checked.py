"""A config with corpora, and `spacy bigbird check` of it."""

from spacy.cli import app as spacy_app
from spacy.util import registry
from typer.testing import CliRunner

registry.cli.get_all()
CONFIG = """
[paths]
train = null
dev = null

[nlp]
lang = "en"
pipeline = ["bigbird", "tagger"]

[components]

[components.bigbird]
factory = "bigbird"

[components.bigbird.model]
@architectures = "spacy-bigbird.BigBirdModel.v1"
vocab_file = {vocab_file}
transformer_config = {{"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 64, "block_size": 16}}

[components.tagger]
factory = "tagger"

[components.tagger.model]
@architectures = "spacy.Tagger.v2"

[components.tagger.model.tok2vec]
@architectures = "spacy-transformers.TransformerListener.v1"
pooling = {{"@layers": "reduce_mean.v1"}}
grad_factor = 1.0

[corpora]

[corpora.train]
@readers = "spacy.Corpus.v1"
path = ${{paths.train}}

[corpora.dev]
@readers = "spacy.Corpus.v1"
path = ${{paths.dev}}

[training]
max_steps = 0

[training.optimizer]
@optimizers = "Adam.v1"

[training.optimizer.learn_rate]
@schedules = "spacy-bigbird.warmup_linear.v1"
initial_rate = 0.001
warmup_steps = 10
total_steps = ${{training.max_steps}}

[training.batcher]
@batchers = "spacy-bigbird.batch_by_pieces.v1"
size = 500
"""


def run(folder, *arguments, train="train.spacy"):
    paths = ["--paths.train", str(folder / train), "--paths.dev", str(folder / "dev.spacy")]
    arguments = ["bigbird", "check", str(folder / "config.cfg"), *paths, *arguments]
    return CliRunner().invoke(spacy_app, arguments, catch_exceptions=False)


def flat(result) -> str:
    return " ".join(result.output.split())
