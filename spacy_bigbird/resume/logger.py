"""A logger that makes training with `spacy train` resumable after it was killed."""

import os
import shutil
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import srsly
from spacy.language import Language
from spacy.training.loggers import console_logger
from thinc.api import Model

from ..atomic import replace_file
from ..distributed.processes import count_processes
from .optimizer_state import OptimizerWatch
from .random_states import random_states, set_random_states
from .state import FINISHED, FOLDER, LIMITS, TrainingState, spacy_version

LogStep = Callable[[dict[str, Any] | None], None]
Logger = Callable[..., tuple[LogStep, Callable[[], None]]]


def make_resumable_logger(logger: Logger | None = None) -> "ResumableLogger":
    """Create a logger that saves what is needed to resume training.

    Registered as `spacy-bigbird.ResumableLogger.v1`, for `[training.logger]`.

    logger (Callable | None): the logger that reports the training. If None, spaCy's console logger is used.
    RETURNS (ResumableLogger): the logger.
    """
    return ResumableLogger(logger or console_logger())


class ResumableLogger:
    """Wraps another logger, and saves after each evaluation what `spacy bigbird resume` needs.

    logger (Callable): the wrapped logger.
    """

    def __init__(self, logger: Logger) -> None:
        self.logger = logger

    def __call__(
        self, nlp: Language, stdout: IO = sys.stdout, stderr: IO = sys.stderr
    ) -> tuple[LogStep, Callable[[], None]]:
        """Set up the logger for a training run.

        nlp (Language): the pipeline.
        stdout, stderr (IO): the streams that the wrapped logger writes to.
        RETURNS (tuple[Callable, Callable]): functions to call after each step and at the end.
        """
        log_step, finalize = self.logger(nlp, stdout, stderr)
        saver = _Saver(nlp)

        def log_and_save(info: dict[str, Any] | None) -> None:
            log_step(info)
            if info is None:
                saver.steps_since += 1
            elif "output_path" in info:
                saver.save(info)

        def finalize_both() -> None:
            try:
                finalize()
            finally:
                saver.finalize()

        return log_and_save, finalize_both


class _Saver:
    def __init__(self, nlp: Language) -> None:
        self.nlp = nlp
        self.started = datetime.now().isoformat(" ", "seconds")
        # At this point, spaCy has not yet used the random state for the order of the documents.
        self.random_start = random_states()
        models = [getattr(component, "model", None) for _, component in nlp.pipeline]
        self.watch = OptimizerWatch([model for model in models if isinstance(model, Model)])
        self.has_begun = False
        self.saved: Path | None = None
        self.saved_step = self.steps_since = 0

    def save(self, info: dict[str, Any]) -> None:
        self.saved_step, self.steps_since = info["step"], 0
        output = Path(info["output_path"]).parent
        if not self.has_begun:
            self.has_begun = True
            if info["step"] == 0:
                # These states belong to an earlier training run, whose pipelines spaCy has just deleted.
                shutil.rmtree(output / FOLDER, ignore_errors=True)
            else:
                before = TrainingState.newest(output)
                self.started, self.random_start = before.started, before.random_start
        if self.watch.optimizer is None:
            # No update has been made, because nothing could be learned from the documents so far.
            return
        random_now = random_states()
        state = TrainingState(
            step=info["step"],
            epoch=info["epoch"],
            results=list(info["checkpoints"]),
            words=info["words"],
            seconds=info["seconds"],
            started=self.started,
            random_start=self.random_start,
            random_now=random_now,
            max_length=self.nlp.max_length,
            spacy_version=spacy_version(),
            directory=os.getcwd(),
            processes=count_processes(),
        )
        self.saved = state.save(output, self.nlp, self.watch.optimizer)
        # Saving must not affect the rest of the training.
        set_random_states(random_now)

    def finalize(self) -> None:
        self.watch.remove()
        # spaCy calls this not only when training has finished, but also when it was interrupted or has failed.
        if self.saved is not None and sys.exc_info()[0] is None:
            training = self.nlp.config.interpolate()["training"]
            end = {"step": self.saved_step + self.steps_since, **{name: training[name] for name in LIMITS}}
            # Written atomically, so that a killed training either has finished or has not.
            replace_file(self.saved / FINISHED, lambda path: srsly.write_json(path, end))
