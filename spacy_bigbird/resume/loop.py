"""spaCy's training loop, on one process or many, from the beginning or from the state that ResumableLogger.v1 saved."""

import random
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from timeit import default_timer as timer
from typing import IO, Any

import spacy
from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.training.loggers import console_logger_v3
from spacy.training.loop import (
    clean_output_dir,
    create_before_to_disk_callback,
    create_evaluation_callback,
    create_train_batches,
    subdivide_batch,
    update_meta,
)
from spacy.util import registry, resolve_dot_names
from thinc.api import Optimizer, constant, fix_random_seed, set_gpu_allocator
from wasabi import Printer

from ..distributed.gradients import SharedOptimizer, check_alike, find_parameters, start_alike
from ..distributed.processes import Processes, total
from ..errors import Errors
from .batches import grouped, in_common_order, skip
from .limits import MODEL_BEST, MODEL_LAST, check_unfinished, is_over
from .logger import ResumableLogger
from .optimizer_state import restore_optimizer
from .random_states import random_states, set_random_states
from .reading import announce, load
from .state import (
    BEST,
    PIPELINE,
    TrainingState,
    replace_folder,
    spacy_version,
    state_folder,
)

# The other blocks are fixed, because components and vocabulary are those of the saved pipeline.
CHANGEABLE = ("paths", "system", "corpora", "training")


def train(
    nlp: Language,
    output: Path,
    *,
    use_gpu: int = -1,
    stdout: IO = sys.stdout,
    stderr: IO = sys.stderr,
    processes: Processes | None = None,
) -> tuple[Language, Path]:
    """Train as `spacy train` does, so that it can be resumed, on one process or on several.

    Several processes take one batch each, and add up their gradients before each step. They do what one process does
    with batches that are as many times as large, in as many parts (`accumulate_gradient`).

    nlp (Language): the initialized pipeline.
    output (Path): directory to write to.
    use_gpu (int): id of the GPU that has been activated, or -1 for the CPU.
    stdout, stderr (IO): the streams that the logger writes to.
    processes (Processes | None): the processes; None for this one alone.
    RETURNS (tuple[Language, Path]): the pipeline and its folder, model-last.
    RAISES ValueError: the processes have other pipelines.
    RAISES RuntimeError: another process has stopped, or has other weights.
    """
    processes = processes or Processes()
    config = nlp.config.interpolate()
    if config["training"]["seed"] is not None:
        fix_random_seed(config["training"]["seed"])
    _set_allocator(config, use_gpu)
    training = _Training(nlp, output, None, config, processes)
    if processes.is_main:
        clean_output_dir(output)
        for line in (f"Pipeline: {nlp.pipe_names}", f"Initial learn rate: {training.optimizer.learn_rate}"):
            stdout.write(Printer(no_print=True).info(line) + "\n")
    training.run(stdout, stderr)
    return nlp, output / MODEL_LAST


def resume(
    output: Path,
    *,
    overrides: Mapping[str, Any] | None = None,
    use_gpu: int = -1,
    stdout: IO = sys.stdout,
    stderr: IO = sys.stderr,
    processes: Processes | None = None,
) -> tuple[Language, Path]:
    """Resume training and continue until it ends, as `spacy train` would have.

    output (Path): the directory that `spacy train --output` wrote to.
    overrides (Mapping[str, Any] | None): settings by their full names, such as "training.max_steps".
    use_gpu (int): id of the GPU that has been activated, or -1 for the CPU.
    stdout, stderr (IO): the streams that the logger writes to.
    processes (Processes | None): the processes, as many as before; None for this one alone.
    RETURNS (tuple[Language, Path]): the pipeline and its folder, model-last.
    RAISES ValueError: there is nothing to resume, or it cannot be resumed with these settings or this spaCy version.
    """
    processes = processes or Processes()
    # Otherwise a process that is ahead of the first could read what that is about to replace.
    state = processes.share(lambda: TrainingState.newest(output), "looked for a state to resume from")
    folder = state_folder(output, state.step)
    if state.spacy_version != spacy_version():
        raise ValueError(Errors.BB346.format(path=output, saved=state.spacy_version, found=spacy.__version__))
    if state.processes != processes.count:
        raise ValueError(Errors.BB422.format(path=output, saved=state.processes, found=processes.count))
    overrides = dict(overrides or {})
    fixed = sorted(name for name in overrides if name.split(".")[0] not in CHANGEABLE)
    if fixed:
        expected = ", ".join(f"[{name}]" for name in CHANGEABLE)
        raise ValueError(Errors.BB347.format(names=", ".join(fixed), expected=expected))
    nlp = load(folder / PIPELINE, overrides)
    nlp.max_length = state.max_length
    config = nlp.config.interpolate()
    check_unfinished(output, state, config["training"])
    _set_allocator(config, use_gpu)
    training = _Training(nlp, output, state, config, processes)
    if processes.is_main:
        announce(nlp, state, config, stdout)
    training.run(stdout, stderr)
    return nlp, output / MODEL_LAST


def _set_allocator(config: Any, use_gpu: int) -> None:
    if use_gpu >= 0 and config["training"]["gpu_allocator"]:
        set_gpu_allocator(config["training"]["gpu_allocator"])


class _Training:
    """spaCy's training loop, starting at the beginning or in the middle.

    nlp (Language): the initialized or saved pipeline.
    output (Path): directory that pipelines are written to.
    state (TrainingState | None): the state to resume from; None for the beginning.
    config (dict[str, Any]): the interpolated config of the pipeline.
    processes (Processes): the processes.
    """

    def __init__(
        self, nlp: Language, output: Path, state: TrainingState | None, config: Any, processes: Processes
    ) -> None:
        self.nlp = nlp
        self.output = output
        self.state = state
        self.processes = processes
        self.settings: dict[str, Any] = registry.resolve(config["training"], schema=ConfigSchemaTraining)
        self.optimizer: Optimizer = self.settings["optimizer"]
        self.parameters = find_parameters(nlp) if processes.count > 1 else []
        start_alike(self.parameters, processes)
        if state is not None:
            restore_optimizer(state_folder(output, state.step), nlp, self.optimizer)
        names = [self.settings["train_corpus"], self.settings["dev_corpus"]]
        train_corpus, dev_corpus = resolve_dot_names(config, names)
        self.evaluate = create_evaluation_callback(nlp, dev_corpus, self.settings["score_weights"])
        self.before_to_disk = create_before_to_disk_callback(self.settings["before_to_disk"])
        dropout = self.settings["dropout"]
        self.dropouts: Iterator[float] = iter(constant(dropout) if isinstance(dropout, float) else dropout)
        for _ in range(state.step + 1 if state else 0):
            self.optimizer.step_schedules()
            next(self.dropouts)
        if state is not None:
            set_random_states(state.random_start)
        elif processes.count > 1:
            set_random_states(processes.share(random_states, "agreed on an order"))
        batches = create_train_batches(nlp, train_corpus, self.settings["batcher"], self.settings["max_epochs"])
        self.batches = grouped(batches, processes.count)
        if processes.count > 1:
            self.batches = in_common_order(self.batches)
        if state is not None:
            skip(self.batches, state)

    def run(self, stdout: IO, stderr: IO) -> None:
        """Train, report and save until the training ends or is interrupted. Only the first process writes."""
        if not self.processes.is_main:
            for _ in self._steps():
                pass
            self._wait_for_files()
            return
        frozen = self.settings["frozen_components"]
        if self.state is not None:
            # A newer model-best may be incomplete. It is trained and scored again.
            best = state_folder(self.output, self.state.step) / BEST
            replace_folder(self.output / MODEL_BEST, lambda part: shutil.copytree(best, part, dirs_exist_ok=True))
            self._save(is_best=False)
        with self.nlp.select_pipes(disable=frozen):
            log_step, finalize = self._logger(stderr)(self.nlp, stdout, stderr)
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
        self._wait_for_files()
        saved = Printer(no_print=True).good("Saved pipeline to output directory", self.output / MODEL_LAST)
        stdout.write(saved + "\n")

    def _wait_for_files(self) -> None:
        self.processes.share(lambda: None, "waited for the files")

    def _logger(self, stderr: IO) -> Any:
        """Get a logger that saves what is needed to resume, and shows on a terminal how far the training is."""
        given = self.nlp.config["training"]["logger"]
        is_plain = given.get("logger") is None and given["@loggers"].startswith(
            ("spacy-bigbird.", "spacy.ConsoleLogger")
        )
        if is_plain and not given.get("progress_bar") and stderr.isatty():
            return ResumableLogger(console_logger_v3(progress_bar="eval"))
        logger = self.settings["logger"]
        return logger if isinstance(logger, ResumableLogger) else ResumableLogger(logger)

    def _save(self, is_best: bool) -> None:
        last = self.output / MODEL_LAST
        with self.nlp.use_params(self.optimizer.averages or {}):
            replace_folder(last, self.before_to_disk(self.nlp).to_disk)
        if is_best:
            replace_folder(self.output / MODEL_BEST, lambda part: shutil.copytree(last, part, dirs_exist_ok=True))

    def _steps(self) -> Iterator[tuple[dict[str, Any], bool | None]]:
        """Yield what spaCy's `train_while_improving` would yield after each step."""
        settings, state, processes = self.settings, self.state, self.processes
        results, words, started = (list(state.results), state.words, timer()) if state else ([], 0, timer())
        losses: dict[str, float] = {}
        step = state.step if state else -1
        if state is not None:
            set_random_states(state.random_now)
        if not processes.is_main:
            # Dropout is another in every process.
            fix_random_seed(random.randrange(2**31) + processes.number)
        while not is_over(settings, step, results):
            epoch, batches = next(self.batches, (None, None))
            if batches is None:
                return
            step += 1
            if settings["before_update"]:
                settings["before_update"](self.nlp, {"step": step, "epoch": epoch})
            self._update(batches[processes.number] if processes.number < len(batches) else [], losses)
            words += sum(len(example) for batch in batches for example in batch)
            score, scores, is_best = None, None, None
            if step % settings["eval_frequency"] == 0:
                score, scores = self._evaluate(step)
                losses = total(processes.gather(losses, "added up losses"))
                results.append((score, step))
                is_best = score == max(results)[0]
            info = {
                "epoch": epoch,
                "step": step,
                "score": score,
                "other_scores": scores,
                "losses": losses,
                "checkpoints": results,
                "seconds": (state.seconds if state else 0) + int(timer() - started),
                "words": words,
            }
            yield info, is_best
            if is_best is not None:
                losses = {}

    def _update(self, batch: list[Any], losses: dict[str, float]) -> None:
        """Take a step with the batch of this process, which may be empty."""
        nlp: Any = self.nlp
        settings, optimizer = self.settings, self.optimizer
        frozen, annotating = settings["frozen_components"], settings["annotating_components"]
        dropout = next(self.dropouts)
        for part in subdivide_batch(batch, settings["accumulate_gradient"]):
            nlp.update(part, drop=dropout, losses=losses, sgd=False, exclude=frozen, annotates=annotating)
        shared = SharedOptimizer(optimizer, self.parameters, self.processes) if self.processes.count > 1 else None
        for name, component in nlp.pipeline:
            is_trained = name not in frozen and getattr(component, "is_trainable", False)
            if is_trained and getattr(component, "model", None) not in (True, False, None):
                component.finish_update(shared or optimizer)
        if shared is not None:
            shared.step()
        optimizer.step_schedules()

    def _evaluate(self, step: int) -> tuple[float, dict[str, float]]:
        if self.processes.count > 1:
            check_alike(self.parameters, self.processes, step)

        def score() -> tuple[float, dict[str, float]]:
            with self.nlp.use_params(self.optimizer.averages or {}):
                return self.evaluate()

        return self.processes.share(score, "waited for the evaluation")
