"""What a training with `spacy train` needs to go on: a pipeline, its best version, and the state of everything else."""

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

from ..errors import Errors
from ..thinc_layers.shim import EncoderShim

FOLDER = "resume"
PIPELINE, BEST, STATE, OPTIMIZER, FINISHED = "pipeline", "best", "state.json", "optimizer.safetensors", "finished.json"
TABLES = ("mom1", "mom2", "averages")
# What may end a training.
LIMITS = ("max_steps", "max_epochs", "patience")


@dataclass
class TrainingState:
    """Where a training stands, after an evaluation.

    step (int): the last step that is done, counted from 0 as spaCy does.
    epoch (int): its epoch.
    results (list[tuple[float, int]]): score and step of every evaluation.
    words (int): tokens that were trained on.
    seconds (int): how long it took.
    started (str): when the training began.
    random_start (dict[str, Any]): random states before the first document was read.
    random_now (dict[str, Any]): random states after the step.
    max_length (int): longest text of the pipeline, which its folder does not keep. Unit: characters.
    spacy_version (str): the version of spaCy.
    directory (str): the working directory, to which relative paths of corpora belong.
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

    def save(self, output: Path, nlp: Language, optimizer: Optimizer) -> Path:
        """Write the state; those before it are deleted when it is complete.

        output (Path): the training's directory, with a model-best.
        nlp (Language): the pipeline, with the weights that are trained (not their averages).
        optimizer (Optimizer): the optimizer.
        RETURNS (Path): the state's folder.
        """
        path = state_folder(output, self.step)
        arrays, parameters = _optimizer_state(nlp, optimizer)

        def write(folder: Path) -> None:
            with _full_precision(nlp):
                nlp.to_disk(folder / PIPELINE)
            # spaCy deletes model-best before it writes a new one, so that its files never change.
            shutil.copytree(output / "model-best", folder / BEST, copy_function=_link)
            save_file(arrays, folder / OPTIMIZER)
            content = {**asdict(self), "parameters": parameters}
            # Scores may be NumPy's numbers.
            (folder / STATE).write_text(json.dumps(content, default=float), encoding="utf8")

        replace_folder(path, write)
        for old in _folders(output):
            if old != path:
                shutil.rmtree(old, ignore_errors=True)
        return path

    @classmethod
    def newest(cls, output: Path) -> TrainingState:
        """output (Path): a training's directory.
        RETURNS (TrainingState): its newest state.
        RAISES ValueError: there is none.
        """
        folders = _folders(output)
        if folders:
            return cls.load(folders[-1])
        found = f"there is no {output / FOLDER}" if output.exists() else "there is no such directory"
        raise ValueError(Errors.BB343.format(path=output, found=found))

    @classmethod
    def load(cls, path: Path) -> TrainingState:
        """path (Path): a state's folder.
        RETURNS (TrainingState): what `save` wrote, without pipeline and optimizer.
        RAISES ValueError: it is not whole.
        """
        try:
            content = json.loads((path / STATE).read_text(encoding="utf8"))
            content.pop("parameters")
            content["results"] = [(score, step) for score, step in content["results"]]
            return cls(**content)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(Errors.BB344.format(path=path, reason=error)) from error


def state_folder(output: Path, step: int) -> Path:
    """RETURNS (Path): where the state after a step is kept."""
    return output / FOLDER / f"step-{step:09d}"


def _folders(output: Path) -> list[Path]:
    return sorted((output / FOLDER).glob("step-*"))


def replace_folder(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a folder beside its place, then move it there; what is in its place stays until then.

    path (Path): the place.
    write (Callable[[Path], Any]): writes the content to the path that it is given.
    """
    part, old = (path.with_name(f".{path.name}.{ending}") for ending in ("part", "old"))
    for rest in (part, old):
        if rest.exists():
            shutil.rmtree(rest)
    part.mkdir(parents=True)
    write(part)
    for file in part.rglob("*"):
        if file.is_file():
            with file.open("rb") as stream:
                # A machine that goes down right after the renaming must not leave empty files behind.
                os.fsync(stream.fileno())
    if path.exists():
        path.rename(old)
    part.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def random_states() -> dict[str, Any]:
    """RETURNS (dict[str, Any]): the random states of Python, NumPy and PyTorch, for JSON."""
    # NumPy's stubs allow for a dictionary, which is given only where one is asked for.
    numbers: Any = numpy.random.get_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return {
        "python": random.getstate(),
        "numpy": [numbers[0], numbers[1].tolist(), *numbers[2:]],
        "torch": torch.get_rng_state().numpy().tobytes().hex(),
        "cuda": [state.numpy().tobytes().hex() for state in cuda],
    }


def set_random_states(states: dict[str, Any]) -> None:
    """states (dict[str, Any]): what `random_states` gave, also when it has been through JSON."""
    version, numbers, gauss = states["python"]
    random.setstate((version, tuple(numbers), gauss))
    name, keys, *rest = states["numpy"]
    numpy.random.set_state((name, numpy.asarray(keys, dtype="uint32"), *rest))
    torch.set_rng_state(_bytes_tensor(states["torch"]))
    for device, state in enumerate(states["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(_bytes_tensor(state), device)


def restore_optimizer(path: Path, nlp: Language, optimizer: Optimizer) -> None:
    """Give an optimizer the moments, averages and counts of a saved state.

    path (Path): the state's folder.
    nlp (Language): the pipeline of that folder.
    optimizer (Optimizer): a new optimizer.
    RAISES ValueError: the state is not whole, or does not fit the pipeline.
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
    """Arrays of the optimizer by number, and whose they are. Its own keys hold ids, which each process gives anew: in
    their place stand the component, the number of the node in its model, and that of the shim in the node."""
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
            # A layer that is no longer in the pipeline.
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
    """Weights that a pipeline keeps in half precision on disk are trained in full precision."""
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
    """Sees the optimizer of a training's first step, which spaCy shows to nobody but the models, and goes away.

    models (list[Model]): the models that are trained.
    """

    def __init__(self, models: list[Model]) -> None:
        super().__init__(None)
        self.optimizer: Any = None
        self._models = models
        for model in models:
            model.shims.append(self)

    def finish_update(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        self.remove()

    def remove(self) -> None:
        """Leave the models as they were."""
        for model in self._models:
            if self in model.shims:
                model.shims.remove(self)


def spacy_version() -> str:
    """RETURNS (str): the version of spaCy whose training loop is meant, such as 3.8."""
    return ".".join(spacy.__version__.split(".")[:2])


def _link(source: str, target: str) -> None:
    """A second name for a file; where the file system has no such thing, a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _bytes_tensor(text: str) -> torch.Tensor:
    return torch.frombuffer(bytearray.fromhex(text), dtype=torch.uint8)
