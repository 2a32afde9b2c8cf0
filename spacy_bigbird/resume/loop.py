"""Resumes training with `spacy train` that was stopped, from the state that ResumableLogger.v1 saved."""

import random
import shutil
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from timeit import default_timer as timer
from typing import IO, Any

import spacy
import srsly
from spacy import util
from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.training import Example
from spacy.training.loop import (
    create_before_to_disk_callback,
    create_evaluation_callback,
    create_train_batches,
    subdivide_batch,
    update_meta,
)
from spacy.util import registry, resolve_dot_names
from thinc.api import Optimizer, constant, set_gpu_allocator
from wasabi import Printer

from ..errors import Errors
from ..schedules import find_schedule_problems
from ..warnings import Warnings
from .state import (
    BEST,
    FINISHED,
    LIMITS,
    PIPELINE,
    TrainingState,
    replace_folder,
    restore_optimizer,
    set_random_states,
    spacy_version,
    state_folder,
)

MODEL_BEST, MODEL_LAST = "model-best", "model-last"
# The other blocks are fixed, because components and vocabulary are those of the saved pipeline.
CHANGEABLE = ("paths", "system", "corpora", "training")

Batches = Iterator[tuple[int, list[Example]]]


def resume(
    output: Path,
    *,
    overrides: Mapping[str, Any] | None = None,
    use_gpu: int = -1,
    stdout: IO = sys.stdout,
    stderr: IO = sys.stderr,
) -> tuple[Language, Path]:
    """Resume training and continue until it ends, as `spacy train` would have.

    output (Path): the directory that `spacy train --output` wrote to.
    overrides (Mapping[str, Any] | None): settings by their full names, such as "training.max_steps".
    use_gpu (int): id of the GPU that has been activated, or -1 for the CPU.
    stdout, stderr (IO): the streams that the logger writes to.
    RETURNS (tuple[Language, Path]): the pipeline and its folder, model-last.
    RAISES ValueError: there is nothing to resume, or it cannot be resumed with these settings or this spaCy version.
    """
    state = TrainingState.newest(output)
    folder = state_folder(output, state.step)
    if state.spacy_version != spacy_version():
        raise ValueError(Errors.BB346.format(path=output, saved=state.spacy_version, found=spacy.__version__))
    overrides = dict(overrides or {})
    fixed = sorted(name for name in overrides if name.split(".")[0] not in CHANGEABLE)
    if fixed:
        expected = ", ".join(f"[{name}]" for name in CHANGEABLE)
        raise ValueError(Errors.BB347.format(names=", ".join(fixed), expected=expected))
    nlp = _load(folder / PIPELINE, overrides)
    nlp.max_length = state.max_length
    config = nlp.config.interpolate()
    _check_unfinished(output, state, config["training"])
    if use_gpu >= 0 and config["training"]["gpu_allocator"]:
        set_gpu_allocator(config["training"]["gpu_allocator"])
    training = _Training(nlp, output, state, config)
    msg = Printer(no_print=True)
    for problem in _schedule_problems(config["training"], state.step):
        stdout.write(msg.warn(problem) + "\n")
    stdout.write(msg.info(f"Pipeline: {nlp.pipe_names}") + "\n")
    stdout.write(msg.info(f"Training of {state.started}, resuming after step {state.step}") + "\n")
    training.run(stdout, stderr)
    stdout.write(msg.good("Saved pipeline to output directory", output / MODEL_LAST) + "\n")
    return nlp, output / MODEL_LAST


class _Training:
    """spaCy's training loop, starting in the middle.

    nlp (Language): the saved pipeline.
    output (Path): directory that pipelines are written to.
    state (TrainingState): the state to resume from.
    config (dict[str, Any]): the interpolated config of the pipeline.
    """

    def __init__(self, nlp: Language, output: Path, state: TrainingState, config: Any) -> None:
        self.nlp = nlp
        self.output = output
        self.state = state
        self.settings: dict[str, Any] = registry.resolve(config["training"], schema=ConfigSchemaTraining)
        self.optimizer: Optimizer = self.settings["optimizer"]
        folder = state_folder(output, state.step)
        restore_optimizer(folder, nlp, self.optimizer)
        train_corpus, dev_corpus = resolve_dot_names(
            config, [self.settings["train_corpus"], self.settings["dev_corpus"]]
        )
        self.evaluate = create_evaluation_callback(nlp, dev_corpus, self.settings["score_weights"])
        self.before_to_disk = create_before_to_disk_callback(self.settings["before_to_disk"])
        dropout = self.settings["dropout"]
        self.dropouts: Iterator[float] = iter(constant(dropout) if isinstance(dropout, float) else dropout)
        for _ in range(state.step + 1):
            self.optimizer.step_schedules()
            next(self.dropouts)
        set_random_states(state.random_start)
        batches = create_train_batches(nlp, train_corpus, self.settings["batcher"], self.settings["max_epochs"])
        self.batches = _skip(batches, state)

    def run(self, stdout: IO, stderr: IO) -> None:
        """Train, report and save until the training ends or is interrupted."""
        frozen = self.settings["frozen_components"]
        # A newer model-best may be incomplete. It is trained and scored again.
        best = state_folder(self.output, self.state.step) / BEST
        replace_folder(self.output / MODEL_BEST, lambda part: shutil.copytree(best, part, dirs_exist_ok=True))
        self._save(is_best=False)
        with self.nlp.select_pipes(disable=frozen):
            log_step, finalize = self.settings["logger"](self.nlp, stdout, stderr)
        try:
            for info, is_best in self._steps():
                if is_best is not None:
                    with self.nlp.select_pipes(disable=frozen):
                        update_meta(self.settings, self.nlp, info)
                    self._save(is_best)
                    info["output_path"] = str(self.output / MODEL_LAST)
                log_step(info if is_best is not None else None)
        finally:
            finalize()
            self._save(is_best=False)

    def _save(self, is_best: bool) -> None:
        last = self.output / MODEL_LAST
        with self.nlp.use_params(self.optimizer.averages or {}):
            replace_folder(last, self.before_to_disk(self.nlp).to_disk)
        if is_best:
            replace_folder(self.output / MODEL_BEST, lambda part: shutil.copytree(last, part, dirs_exist_ok=True))

    def _steps(self) -> Iterator[tuple[dict[str, Any], bool | None]]:
        """Yield what spaCy's `train_while_improving` would yield after the step of the saved state."""
        nlp: Any = self.nlp
        settings, state, optimizer = self.settings, self.state, self.optimizer
        frozen, annotating = settings["frozen_components"], settings["annotating_components"]
        results, words, started = list(state.results), state.words, timer()
        losses: dict[str, float] = {}
        step = state.step
        set_random_states(state.random_now)
        while not _is_over(settings, step, results):
            epoch, batch = next(self.batches, (None, None))
            if batch is None:
                return
            step += 1
            if settings["before_update"]:
                settings["before_update"](nlp, {"step": step, "epoch": epoch})
            dropout = next(self.dropouts)
            for part in subdivide_batch(batch, settings["accumulate_gradient"]):
                nlp.update(part, drop=dropout, losses=losses, sgd=False, exclude=frozen, annotates=annotating)
            for name, component in nlp.pipeline:
                is_trained = name not in frozen and getattr(component, "is_trainable", False)
                if is_trained and getattr(component, "model", None) not in (True, False, None):
                    component.finish_update(optimizer)
            optimizer.step_schedules()
            words += sum(len(example) for example in batch)
            score, scores, is_best = None, None, None
            if step % settings["eval_frequency"] == 0:
                with nlp.use_params(optimizer.averages or {}):
                    score, scores = self.evaluate()
                results.append((score, step))
                is_best = score == max(results)[0]
            info = {
                "epoch": epoch,
                "step": step,
                "score": score,
                "other_scores": scores,
                "losses": losses,
                "checkpoints": results,
                "seconds": state.seconds + int(timer() - started),
                "words": words,
            }
            yield info, is_best
            if is_best is not None:
                losses = {}


def _is_over(limits: Mapping[str, Any], step: int, results: list[tuple[float, int]]) -> bool:
    # Among equal scores, the earliest counts as the best.
    best_step = -max((score, -at) for score, at in results)[1]
    patience, max_steps = limits["patience"], limits["max_steps"]
    return bool((patience and step - best_step >= patience) or (max_steps and step >= max_steps))


def _schedule_problems(settings: dict[str, Any], step: int) -> list[str]:
    """Find out if the learning rate suits the limits, which may have been raised."""
    # The number of steps in an epoch is not known before the corpus is read: only the next step is.
    steps = settings["max_steps"] or (step + 2 if settings["max_epochs"] >= 1 else None)
    (optimizer,) = registry.resolve({"optimizer": settings["optimizer"]}).values()
    problems = find_schedule_problems(optimizer, steps)
    return problems if settings["max_steps"] else [problem for problem in problems if problem.startswith("[BB")]


def _load(path: Path, overrides: dict[str, Any]) -> Language:
    try:
        return util.load_model(path, config=overrides)
    except OSError as error:
        raise ValueError(Errors.BB344.format(path=path, reason=error)) from error


def _check_unfinished(output: Path, state: TrainingState, settings: dict[str, Any]) -> None:
    """Check that there is anything left to train.

    RAISES ValueError: training has finished, and the current limits would end it at the same step again.
    """
    end = _read_end(state_folder(output, state.step) / FINISHED)
    limits = {name: settings[name] for name in LIMITS}
    if not all(isinstance(limit, int) for limit in limits.values()):
        # spaCy's schema reports this when the training is set up.
        return
    if end is None or not _would_end(end, limits, state.results):
        return
    try:
        util.load_model(output / MODEL_LAST)
    except Exception:  # nearly anything is raised if training was killed while writing: the end must be repeated
        return
    shown = ", ".join(f"{name} = {value}" for name, value in limits.items())
    raise ValueError(Errors.BB345.format(path=output, step=end["step"], limits=shown, more=2 * max(1, end["step"])))


def _read_end(path: Path) -> dict[str, int] | None:
    """Read how training ended. RETURNS (dict[str, int] | None): last step and limits; None if it has not ended."""
    try:
        end = srsly.read_json(path)
        return {name: int(end[name]) for name in ("step", *LIMITS)}
    except (OSError, ValueError, KeyError, TypeError):
        # Missing, or incomplete because the machine went down: the end must be repeated.
        return None


def _would_end(end: Mapping[str, int], limits: Mapping[str, int], results: list[tuple[float, int]]) -> bool:
    """Determine if a finished training run would end at the same step again.

    end (Mapping[str, int]): its last step and the limits that it had.
    limits (Mapping[str, int]): the current limits.
    results (list[tuple[float, int]]): score and step of every evaluation.
    RETURNS (bool): whether it would.
    """
    if _is_over(limits, end["step"], results):
        return True
    # If neither max_steps nor patience was exhausted, max_epochs was. A max_epochs below 1 is not a limit.
    has_used_epochs = not _is_over(end, end["step"], results)
    return has_used_epochs and 1 <= limits["max_epochs"] <= end["max_epochs"]


def _skip(batches: Batches, state: TrainingState) -> Batches:
    """Skip the batches that were trained on already, which brings reader, batcher and shuffling to where they were.

    batches (Iterator[tuple[int, list[Example]]]): all batches, beginning with the first.
    state (TrainingState): the state to resume from.
    RETURNS (Iterator[tuple[int, list[Example]]]): the remaining batches.
    RAISES ValueError: there are fewer batches than were trained on.
    """
    words = 0
    for step in range(state.step + 1):
        epoch, batch = next(batches, (None, None))
        if batch is None:
            raise ValueError(Errors.BB348.format(found=step, steps=state.step + 1))
        words += sum(len(example) for example in batch)
    version, numbers, gauss = state.random_now["python"]
    if words != state.words or epoch != state.epoch or random.getstate() != (version, tuple(numbers), gauss):
        warnings.warn(Warnings.BW340.format(step=state.step, epoch=state.epoch), stacklevel=2)
    return batches
