"""`python -m spacy bigbird cache`: fills, measures and clears the cache of states of layers that do not change."""

import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from spacy import util
from spacy.cli._util import import_code, parse_config_overrides, show_validation_error
from wasabi import Printer

from ..check.terminal import counted
from ..errors import Errors
from .app import app
from .options import CodePath, GpuId
from .preparation import set_up_gpu

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

    from ..cache.store import StateStore
    from ..pipeline.encoder.component import BigBird


class Action(str, Enum):
    """What to do with a cache."""

    FILL = "fill"
    SIZE = "size"
    CLEAR = "clear"


@app.command("cache", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def cache_cli(
    ctx: typer.Context,
    action: Annotated[Action, typer.Argument(help="fill, size or clear")],
    path: Annotated[Path, typer.Argument(help="To fill: config file. Otherwise: folder of the cache")],
    code_path: CodePath = None,
    use_gpu: GpuId = -1,
) -> None:
    """Fill, measure or clear the cache that keeps the states of frozen layers on disk.

    To fill it, the corpora of a config are encoded, so that its first epoch is as fast as the others. Config settings
    can be overridden as in `spacy train`. What is in the cache already is not computed again, so a run that was stopped
    goes on where it was. When a cache is cleared, files that are not part of it are left alone.
    """
    from ..cache.store import StateStore

    msg = Printer()
    try:
        if action is Action.SIZE:
            print(f"{StateStore(path, 0).size() / 1e9:.3f} GB")
        elif action is Action.CLEAR:
            msg.good(f"Deleted {StateStore(path, 0).clear() / 1e9:.3f} GB in {path}")
        else:
            overrides = parse_config_overrides(ctx.args)
            import_code(code_path)
            set_up_gpu(use_gpu)
            with show_validation_error(path, hint_fill=False):
                config = util.load_config(path, overrides=overrides, interpolate=False)
                nlp = util.load_model_from_config(config, auto_fill=True)
            count, stores = fill(nlp, show_progress=True)
            for store in stores:
                msg.good(f"{counted(count, 'documents')}, {store.size() / 1e9:.3f} GB in {store.folder}")
    except (OSError, ValueError) as error:
        msg.fail(str(error), exits=1)


def fill(nlp: "Language", *, show_progress: bool = False) -> tuple[int, "list[StateStore]"]:
    """Encode the documents of a pipeline's training and development corpora.

    nlp (Language): the pipeline as made from its config. Its encoders are loaded.
    show_progress (bool): whether to show a progress bar on standard error.
    RETURNS (tuple[int, "list[StateStore]"]): number of documents, and the caches.
    RAISES ValueError: no encoder has a cache, or one that has is trained from its lowest layer on.
    """
    from tqdm import tqdm

    encoders = list(_encoders(nlp))
    count = 0
    for doc in tqdm(_documents(nlp), unit="doc", disable=not show_progress, file=sys.stderr):
        count += 1
        for encoder in encoders:
            encoder.predict([doc])
            settings = encoder.shim.settings
            if settings.mixed_precision != (settings.precision == "bf16"):
                # States computed in another precision have another name.
                encoder.model([doc], is_train=True)
    return count, [encoder.shim.store for encoder in encoders if encoder.shim.store is not None]


def _encoders(nlp: "Language") -> "Iterator[BigBird]":
    from ..pipeline.encoder.component import BigBird

    found = [(name, pipe) for name, pipe in nlp.components if isinstance(pipe, BigBird) and pipe.shim.store is not None]
    if not found:
        raise ValueError(Errors.BB466.format(what=", ".join(nlp.component_names) or "The pipeline"))
    for name, encoder in found:
        if not encoder.shim.settings.freeze_layers and name not in nlp.config["training"]["frozen_components"]:
            raise ValueError(Errors.BB468.format(name=name))
        encoder.model.initialize()
        yield encoder


def _documents(nlp: "Language") -> "Iterator[Doc]":
    config: Any = nlp.config.interpolate()
    names = [config["training"]["train_corpus"], config["training"]["dev_corpus"]]
    for corpus in util.resolve_dot_names(config, names):
        yield from (example.predicted for example in corpus(nlp))
