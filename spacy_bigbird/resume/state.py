"""What `spacy train` needs to resume: a pipeline, its best version, and the state of everything else."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy
import spacy
import torch
from safetensors.numpy import load_file, save_file
from spacy.language import Language
from thinc.api import Model, Optimizer, get_current_ops, to_numpy
from thinc.shims.shim import Shim

from ..atomic import flush_to_disk
from ..errors import Errors
from ..thinc_layers.shim import EncoderShim

FOLDER = "resume"
PIPELINE, BEST, STATE, OPTIMIZER, FINISHED = "pipeline", "best", "state.json", "optimizer.safetensors", "finished.json"
TABLES = ("mom1", "mom2", "averages")
# The settings that may end training.
LIMITS = ("max_steps", "max_epochs", "patience")


@dataclass
class TrainingState:
    """The state of a training run after an evaluation.

    step (int): the last completed step, counted from 0 as in spaCy.
    epoch (int): the epoch of that step.
    results (list[tuple[float, int]]): score and step of every evaluation.
    words (int): number of tokens trained on.
    seconds (int): elapsed training time. Unit: seconds.
    started (str): when training began.
    random_start (dict[str, Any]): random states before the first document was read.
    random_now (dict[str, Any]): random states after the step.
    max_length (int): `max_length` of the pipeline, which its folder does not store. Unit: characters.
    spacy_version (str): the spaCy version, as returned by `spacy_version`.
    directory (str): the working directory, which relative corpus paths refer to.
    processes (int): number of processes that trained together.
    """

    step: int
    epoch: int
    results: list[tuple[float, int]]
    words: int
    seconds: int
    started: str
    random_start: dict[str, Any]
    random_now: dict[str, Any]
    max_length: int
    spacy_version: str
    directory: str
    processes: int = 1

    def save(self, output: Path, nlp: Language, optimizer: Optimizer) -> Path:
        """Write the state to disk. Earlier states are deleted once it is complete.

        output (Path): output directory of the training, which contains a model-best.
        nlp (Language): the pipeline, with its trained weights (not their averages).
        optimizer (Optimizer): the optimizer.
        RETURNS (Path): folder of the state.
        """
        path = state_folder(output, self.step)
        arrays, parameters = _optimizer_state(nlp, optimizer)

        def write(folder: Path) -> None:
            with _full_precision(nlp):
                nlp.to_disk(folder / PIPELINE)
            # Linking is safe: spaCy deletes model-best before it writes a new one, so its files never change.
            shutil.copytree(output / "model-best", folder / BEST, copy_function=_link)
            save_file(arrays, folder / OPTIMIZER)
            content = {**asdict(self), "parameters": parameters}
            # Scores may be NumPy numbers, which JSON does not support.
            (folder / STATE).write_text(json.dumps(content, default=float), encoding="utf8")

        replace_folder(path, write)
        for old in _folders(output):
            if old != path:
                shutil.rmtree(old, ignore_errors=True)
        return path

    @classmethod
    def newest(cls, output: Path) -> TrainingState:
        """Load the newest state of a training run, without pipeline and optimizer.

        output (Path): output directory of the training.
        RETURNS (TrainingState): the state.
        RAISES ValueError: there is none, or it is damaged.
        """
        folders = _folders(output)
        if folders:
            return cls.load(folders[-1])
        found = f"there is no {output / FOLDER}" if output.exists() else "there is no such directory"
        raise ValueError(Errors.BB343.format(path=output, found=found))

    @classmethod
    def load(cls, path: Path) -> TrainingState:
        """Load a state, without pipeline and optimizer.

        path (Path): folder of the state.
        RETURNS (TrainingState): the state.
        RAISES ValueError: it is damaged.
        """
        try:
            content = json.loads((path / STATE).read_text(encoding="utf8"))
            content.pop("parameters")
            content["results"] = [(score, step) for score, step in content["results"]]
            return cls(**content)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(Errors.BB344.format(path=path, reason=error)) from error


def state_folder(output: Path, step: int) -> Path:
    """Get the folder of the state after a step.

    output (Path): output directory of the training.
    step (int): the step.
    RETURNS (Path): the folder.
    """
    return output / FOLDER / f"step-{step:09d}"


def _folders(output: Path) -> list[Path]:
    return sorted((output / FOLDER).glob("step-*"))


def replace_folder(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a folder under a temporary name, then move it into place. An existing folder is kept until then.

    path (Path): the folder.
    write (Callable[[Path], Any]): writes the contents to the path that it is called with.
    """
    part, old = (path.with_name(f".{path.name}.{ending}") for ending in ("part", "old"))
    for rest in (part, old):
        if rest.exists():
            shutil.rmtree(rest)
    part.mkdir(parents=True)
    write(part)
    for file in part.rglob("*"):
        if file.is_file():
            flush_to_disk(file)
    if path.exists():
        path.rename(old)
    part.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def random_states() -> dict[str, Any]:
    """Get the random states of Python, NumPy and PyTorch.

    RETURNS (dict[str, Any]): the states, which can be stored as JSON.
    """
    # NumPy's stubs allow for a dictionary, which is returned only on request.
    numbers: Any = numpy.random.get_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return {
        "python": random.getstate(),
        "numpy": [numbers[0], numbers[1].tolist(), *numbers[2:]],
        "torch": torch.get_rng_state().numpy().tobytes().hex(),
        "cuda": [state.numpy().tobytes().hex() for state in cuda],
    }


def set_random_states(states: dict[str, Any]) -> None:
    """Restore the random states of Python, NumPy and PyTorch.

    states (dict[str, Any]): what `random_states` returned, possibly after a round trip through JSON.
    """
    version, numbers, gauss = states["python"]
    random.setstate((version, tuple(numbers), gauss))
    name, keys, *rest = states["numpy"]
    numpy.random.set_state((name, numpy.asarray(keys, dtype="uint32"), *rest))
    torch.set_rng_state(_bytes_tensor(states["torch"]))
    for device, state in enumerate(states["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(_bytes_tensor(state), device)


def restore_optimizer(path: Path, nlp: Language, optimizer: Optimizer) -> None:
    """Restore the moments, averages and counts of an optimizer from a saved state.

    path (Path): folder of the state.
    nlp (Language): the pipeline loaded from that folder.
    optimizer (Optimizer): a new optimizer.
    RAISES ValueError: it is not a Thinc optimizer, or the state is damaged or does not fit the pipeline.
    """
    _check_optimizer(optimizer, "restored")
    try:
        arrays = load_file(path / OPTIMIZER)
        parameters = json.loads((path / STATE).read_text(encoding="utf8"))["parameters"]
    except Exception as error:  # a damaged file makes safetensors raise nearly anything
        raise ValueError(Errors.BB344.format(path=path, reason=error)) from error
    components = _components(nlp)
    for number, (component, node, shim, name, updates, seen) in enumerate(parameters):
        try:
            owner = components[component][node]
            key = (owner.id if shim is None else owner.shims[shim].id, name)
        except (KeyError, IndexError) as error:
            reason = f"component {component!r} no longer has the layers that it had"
            raise ValueError(Errors.BB349.format(action="restored", reason=reason)) from error
        optimizer.nr_update[key] = updates
        if seen:
            optimizer.last_seen[key] = seen
        for table in TABLES:
            own = getattr(optimizer, table)
            if own is not None and f"{table}.{number}" in arrays:
                own[key] = get_current_ops().asarray(cast(Any, arrays[f"{table}.{number}"].copy()))


def _optimizer_state(nlp: Language, optimizer: Optimizer) -> tuple[dict[str, numpy.ndarray], list[list[Any]]]:
    """Get the arrays of the optimizer by number, and the parameters that they belong to.

    The optimizer's own keys contain ids that differ between processes. A parameter is identified instead by its
    component, the index of the node in the component's model, and the index of the shim in the node."""
    _check_optimizer(optimizer, "saved")
    nodes: dict[int, tuple[str, int, Model]] = {}
    shims: dict[int, tuple[str, int, int]] = {}
    for component, walked in _components(nlp).items():
        for position, node in enumerate(walked):
            nodes.setdefault(node.id, (component, position, node))
            for number, shim in enumerate(node.shims):
                shims.setdefault(shim.id, (component, position, number))
    arrays: dict[str, numpy.ndarray] = {}
    parameters: list[list[Any]] = []
    for key, updates in optimizer.nr_update.items():
        owner, name = key
        if owner in nodes and name in nodes[owner][2].param_names:
            where: list[Any] = [*nodes[owner][:2], None]
        elif owner in shims:
            where = list(shims[owner])
        else:
            # The layer is no longer in the pipeline.
            continue
        for table in TABLES:
            own = getattr(optimizer, table) or {}
            if key in own:
                arrays[f"{table}.{len(parameters)}"] = numpy.ascontiguousarray(to_numpy(own[key]))
        parameters.append([*where, name, updates, optimizer.last_seen.get(key, 0)])
    return arrays, parameters


def _check_optimizer(optimizer: Any, action: str) -> None:
    if not isinstance(optimizer, Optimizer):
        raise ValueError(Errors.BB349.format(action=action, reason=f"it is a {type(optimizer).__name__}"))


def _components(nlp: Language) -> dict[str, list[Model]]:
    models = {name: getattr(component, "model", None) for name, component in nlp.components}
    return {name: list(model.walk()) for name, model in models.items() if isinstance(model, Model)}


@contextmanager
def _full_precision(nlp: Language) -> Iterator[None]:
    """Save weights in full precision, as they are trained, even if the pipeline stores them in half precision."""
    found: list[tuple[Any, Any]] = []
    for nodes in _components(nlp).values():
        for shim in (shim for node in nodes for shim in node.shims if isinstance(shim, EncoderShim)):
            found.append((shim, shim.settings))
    try:
        for shim, settings in found:
            shim.settings = replace(settings, save_as="float32")
        yield
    finally:
        for shim, settings in found:
            shim.settings = settings


class OptimizerWatch(Shim):
    """Captures the optimizer at the first training step, since spaCy passes it only to the models, then removes itself.

    models (list[Model]): the models that are trained.

    optimizer (Any): the optimizer; None until the first step.
    """

    def __init__(self, models: list[Model]) -> None:
        super().__init__(None)
        self.optimizer: Any = None
        self._models = models
        for model in models:
            model.shims.append(self)

    def finish_update(self, optimizer: Any) -> None:
        self.optimizer = getattr(optimizer, "optimizer", optimizer)  # several processes have one in its place
        self.remove()

    def remove(self) -> None:
        """Remove the watch from the models."""
        for model in self._models:
            if self in model.shims:
                model.shims.remove(self)


def spacy_version() -> str:
    """Get the version of spaCy that the training loop belongs to.

    RETURNS (str): major and minor version, such as "3.8".
    """
    return ".".join(spacy.__version__.split(".")[:2])


def _link(source: str, target: str) -> None:
    """Create a hard link to a file, or a copy if the file system does not support links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _bytes_tensor(text: str) -> torch.Tensor:
    return torch.frombuffer(bytearray.fromhex(text), dtype=torch.uint8)
