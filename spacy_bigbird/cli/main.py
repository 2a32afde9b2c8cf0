"""Entry point of `python -m spacy bigbird`: importing a command's module registers the command.

spaCy imports this module whenever its command line starts, so the modules named here import slow dependencies (PyTorch,
the models) inside their functions.
"""

from . import (
    apply,
    ask,
    bakeoff,
    cache,
    calibrate,
    check,
    convert,
    evaluate,
    import_checkpoint,
    init_config,
    pretrain,
    resume,
    serve,
    train,
    train_vocab,
)
from .app import app

__all__ = [
    "app",
    "apply",
    "ask",
    "bakeoff",
    "cache",
    "calibrate",
    "check",
    "convert",
    "evaluate",
    "import_checkpoint",
    "init_config",
    "pretrain",
    "resume",
    "serve",
    "train",
    "train_vocab",
]
