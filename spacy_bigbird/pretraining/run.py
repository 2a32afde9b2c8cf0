"""Pre-training: the loop over the steps of a run, in one or several processes, from the start or from a saved state."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from thinc.api import Config
from torch import Tensor

from ..atomic import remove_unfinished
from ..corpora.text_files import read_texts
from ..errors import Errors
from ..thinc_layers.grouping import group_by_size
from .batches import Batch, BatchLoader, StepData
from .evaluation import Evaluator, held_out_samples
from .log import LOG_NAME, RunLog, read_log
from .masking import PieceTable
from .objective import PretrainingObjective, build_model, build_optimizer, learning_rate, load_tokenizer
from .processes import Processes
from .sequences import Cursor, DocumentStream
from .settings import PretrainingSettings
from .state import FOLDER, RunState
from .throughput import matrix_product_limit, training_operations

CONFIG_NAME = "config.cfg"


def pretrain(
    settings: PretrainingSettings, output: Path, *, resume: bool = False, show_progress: bool = False
) -> dict[str, Any]:
    """Pre-train a model and write it as a checkpoint that every part of this package, and transformers, can read.

    settings (PretrainingSettings): the settings of the run.
    output (Path): directory for the checkpoint (config.json, model.safetensors, spiece.model), the log (log.jsonl,
        curves.png), the settings (config.cfg), and the states to resume from (in resume/).
    resume (bool): whether to resume from the newest state in `output`. If there is none, the run begins at the start.
    show_progress (bool): whether to show a progress bar and the reports.
    RETURNS (dict[str, Any]): the last training report of the log, and under "dev" the last one on the held-out texts.
    RAISES ValueError: `output` already holds a run and `resume` is not set, or the settings do not fit each other, the
        data or the state.
    RAISES FloatingPointError: the loss is no longer finite.
    """
    processes = Processes(settings.training.device)
    try:
        run = Run(settings, Path(output), processes, resume)
        return run(show_progress and processes.is_main)
    finally:
        processes.end()


@dataclass
class LogInterval:
    """What this process has done since the last line of the log.

    waited_before (float): how long it had waited for data until then. Unit: seconds.
    """

    waited_before: float = 0.0
    started: float = field(default_factory=time.perf_counter)
    # Evaluating and saving do not count towards the throughput.
    paused: float = 0.0
    steps: int = 0
    sums: list[Tensor] = field(default_factory=list)
    masked: int = 0
    pairs: int = 0
    pieces: int = 0
    operations: int = 0

    def report(self, processes: Processes, waited: float, limit: float | None) -> dict[str, Any]:
        """Combine the results of all processes.

        processes (Processes): the processes of the run.
        waited (float): how long this process has waited for data since the start of the run. Unit: seconds.
        limit (float | None): floating-point operations per second that all processes together could perform.
        RETURNS (dict[str, Any]): losses and accuracies of the interval, throughput, and the share of time spent
            waiting for data.
        """
        own = [self.masked, self.pairs, self.pieces, self.operations, waited - self.waited_before]
        sums = torch.stack(self.sums).sum(0).double()
        everything = torch.cat([sums, torch.tensor(own, dtype=torch.float64, device=sums.device)])
        loss, right, pair_loss, pair_right, masked, pairs, pieces, operations, waiting = processes.sum(
            everything
        ).tolist()
        seconds = time.perf_counter() - self.started - self.paused
        values = {
            "loss": loss / max(1.0, masked),
            "masked_accuracy": right / max(1.0, masked),
            "pieces_per_second": round(pieces / seconds, 1),
            "seconds_per_step": round(seconds / self.steps, 4),
            "waiting": round(waiting / processes.count / seconds, 4),
        }
        if pairs:
            values |= {"next_sentence_loss": pair_loss / pairs, "next_sentence_accuracy": pair_right / pairs}
        return values | ({"share_of_limit": round(operations / seconds / limit, 4)} if limit else {})


class Run:
    """A pre-training run: model, optimizer, data, and where to continue.

    settings (PretrainingSettings): the settings of the run.
    output (Path): its directory.
    processes (Processes): the processes that take part.
    resume (bool): whether to resume from the newest state in `output`.
    """

    def __init__(self, settings: PretrainingSettings, output: Path, processes: Processes, resume: bool) -> None:
        self.settings, self.output, self.processes = settings, output, processes
        if settings.corpus.streams % processes.count:
            given = f"{processes.count} processes and corpus.streams = {settings.corpus.streams}"
            raise ValueError(
                Errors.BB352.format(given=given, expected="a number of streams that they can share evenly")
            )
        if not resume and (read_log(output / LOG_NAME) or (output / FOLDER).exists()):
            raise ValueError(Errors.BB356.format(path=output))
        self.tokenizer = load_tokenizer(settings)
        self.table = PieceTable.of(self.tokenizer)
        state = RunState.newest(output) if resume else None
        if state is not None:
            state.check(settings)
        self.objective = PretrainingObjective(build_model(settings, self.tokenizer))
        self.prepared = processes.prepare(self.objective)
        self.optimizer = build_optimizer(self.objective.model, settings.training.optimizer)
        self.first_step = 0
        self.cursors: dict[int, Cursor] = {}
        if state is not None:
            self.objective.model.load_state_dict(state.model)
            # Only the moments come from the state: rates, betas and decay are those of the current settings.
            groups = [
                {name: group[name] for name in group if name != "params"} for group in self.optimizer.param_groups
            ]
            self.optimizer.load_state_dict(dict(state.optimizer))
            for group, values in zip(self.optimizer.param_groups, groups, strict=True):
                group.update(values)
            self.first_step, self.cursors = state.step, state.cursors
        steps = processes.sum(torch.tensor(float(self.first_step), device=processes.device))
        if steps != self.first_step * processes.count:
            given = f"processes that do not all see the newest state in {output}"
            raise ValueError(Errors.BB352.format(given=given, expected="an output directory that all of them share"))
        self._norm = torch.zeros(())

    def __call__(self, show_progress: bool) -> dict[str, Any]:
        """Train until the last step.

        show_progress (bool): whether to show a progress bar and the reports.
        RETURNS (dict[str, Any]): the last reports.
        """
        settings, processes = self.settings, self.processes
        evaluate = self._evaluator()
        limit = None
        if settings.report.measure_limit:
            limit = processes.count * matrix_product_limit(processes.device, settings.training.mixed_precision)
        with ExitStack() as stack:
            log: RunLog | None = None
            if processes.is_main:
                self.output.mkdir(parents=True, exist_ok=True)
                for folder in (self.output, self.output / FOLDER):
                    remove_unfinished(folder)
                Config(settings.to_dict()).to_disk(self.output / CONFIG_NAME)
                if self.first_step:
                    # The run may have been killed between saving its last state and the corresponding checkpoint.
                    self._save_checkpoint()
                log = RunLog(self.output, self.first_step, settings.training.max_steps, show_progress)
                stack.callback(log.close)
            return self._loop(stack.enter_context(self.loader()), log, evaluate, limit)

    def _loop(
        self, loader: BatchLoader, log: RunLog | None, evaluate: Evaluator | None, limit: float | None
    ) -> dict[str, Any]:
        training, report, processes = self.settings.training, self.settings.report, self.processes
        last: dict[str, Any] = {"step": self.first_step, "is_main": processes.is_main, "dev": None}
        interval = LogInterval()
        for data in loader:
            self.step(data, interval)
            done = data.step + 1
            is_last = done == training.max_steps
            if log is not None:
                log.step()
            if done % report.log_every == 0 or is_last:
                self._check_norm(done)
                values = {
                    **interval.report(processes, loader.waited, limit),
                    "learning_rate": learning_rate(data.step, training),
                    "gradient_norm": float(self._norm),
                    "length": training.length_at(data.step),
                    "epoch": min(cursor.epoch for cursor in data.cursors.values()),
                }
                last |= {"step": done, **values}
                if log is not None:
                    log.write("train", done, values)
                interval = LogInterval(loader.waited)
            paused = time.perf_counter()
            if evaluate is not None and (done % report.evaluate_every == 0 or is_last):
                last["dev"] = evaluate(self.objective)
                if log is not None:
                    log.write("dev", done, last["dev"])
            if done % report.save_every == 0 or is_last:
                self._check_norm(done)
                self._save(done, data, log)
            interval.paused += time.perf_counter() - paused
        return last

    def loader(self) -> BatchLoader:
        """Create the loader of this process's share of the remaining batches.

        RETURNS (BatchLoader): the loader, to be used in a `with` statement.
        """
        settings, processes = self.settings, self.processes
        numbers = range(processes.number, settings.corpus.streams, processes.count)
        documents = [DocumentStream(self._texts, self.tokenizer, settings, number) for number in numbers]
        return BatchLoader(documents, self.table, settings, self.cursors, self.first_step)

    def _texts(self) -> Iterable[str]:
        return read_texts(self.settings.paths.train, one_per_line=self.settings.corpus.one_per_line)

    def _evaluator(self) -> Evaluator | None:
        if not self.settings.paths.dev:
            return None
        texts = read_texts(self.settings.paths.dev, one_per_line=self.settings.corpus.one_per_line)
        samples = held_out_samples(texts, self.tokenizer, self.table, self.settings)
        return Evaluator(samples, self.table, self.settings, self.processes)

    def step(self, data: StepData, interval: LogInterval) -> None:
        """Update the weights once. The loss is the mean over the masked pieces of the whole batch, across processes.

        data (StepData): this process's share of the batch.
        interval (LogInterval): accumulates the results.
        """
        training, processes = self.settings.training, self.processes
        # Dropout depends only on seed, step and process, so that a resumed run draws what the original would have.
        seeds = np.random.SeedSequence([training.seed, data.step, processes.number])
        torch.manual_seed(int(seeds.generate_state(1, np.uint64)[0] >> 1))
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(data.step, training)
        masked = sum(len(sample.pieces.places) for sample in data.samples)
        counts = torch.tensor([masked, len(data.samples)], dtype=torch.float32, device=processes.device)
        # Gradients are averaged over the processes, but the counts are summed.
        scales = processes.count / processes.sum(counts).clamp(min=1)
        parts = list(group_by_size(data.samples, len, training.micro_batch_pieces))
        total = torch.zeros(4, device=processes.device)
        for number, part in enumerate(parts):
            batch = Batch.of(part, processes.device, self.objective.has_pairs)
            kind = processes.device.type
            is_last = number == len(parts) - 1
            with nullcontext() if is_last else processes.without_sync(self.prepared):
                with torch.autocast(kind, torch.bfloat16, enabled=training.mixed_precision):
                    sums = self.prepared(batch)
                (sums[0] * scales[0] + sums[2] * scales[1]).backward()
            total += sums.detach()
        weights = [weight for weight in self.objective.model.parameters() if weight.requires_grad]
        self._norm = torch.nn.utils.clip_grad_norm_(weights, training.optimizer.max_norm or math.inf)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        lengths = [len(sample) for sample in data.samples]
        interval.sums.append(total)
        interval.masked += masked
        interval.pairs += len(lengths) if self.objective.has_pairs else 0
        interval.pieces += sum(lengths)
        interval.operations += training_operations(self.objective.model.config, lengths, masked)
        interval.steps += 1

    def _check_norm(self, done: int) -> None:
        """Stop before a run whose gradients are not finite is saved."""
        if not math.isfinite(self._norm):
            raise FloatingPointError(Errors.BB357.format(step=done, norm=float(self._norm)))

    def _save(self, done: int, data: StepData, log: RunLog | None) -> None:
        """Write the state to resume from, the checkpoint and the curves."""
        streams = self.settings.corpus.streams
        table = torch.zeros(streams, len(Cursor._fields), dtype=torch.float64)
        for number, cursor in data.cursors.items():
            table[number] = torch.tensor(cursor, dtype=torch.float64)
        table = self.processes.sum(table.to(self.processes.device)).cpu()
        if log is not None:
            cursors = {number: Cursor(*map(int, row)) for number, row in enumerate(table.tolist())}
            state = RunState.of(done, cursors, self.objective.model, self.optimizer, self.settings)
            state.save(self.output, self.settings.report.keep)
            self._save_checkpoint()
            if self.settings.report.curves:
                log.draw_curves()
        self.processes.wait()

    def _save_checkpoint(self) -> None:
        self.objective.model.save_pretrained(self.output)
        self.tokenizer.save_pretrained(self.output)
