"""Gradients of several processes, added up before the optimizer sees them, for every component of a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from spacy.language import Language
from thinc.api import Model, Optimizer, torch2xp, xp2torch
from torch import Tensor

from ..errors import Errors
from .processes import Processes

# How much is exchanged at a time. Unit: numbers.
BUCKET = 16 * 1024**2
# Sums of parameters are compared. Processes that compute the same get the same numbers exactly.
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Parameter:
    """A parameter that an optimizer updates, in a layer of Thinc or in a PyTorch module.

    component (str): name of the component.
    name (str): name of the parameter.
    key (tuple[int, str]): what the optimizer calls it in this process.
    get (Callable): returns the weights.
    set (Callable): replaces them.
    """

    component: str
    name: str
    key: tuple[int, str]
    get: Callable[[], Any]
    set: Callable[[Any], None]

    def tensor(self) -> Tensor:
        """Get the weights as a tensor, which shares their memory where possible."""
        return xp2torch(self.get())


def find_parameters(nlp: Language) -> list[Parameter]:
    """Find the parameters of all components, in an order that is the same in every process.

    nlp (Language): the initialized pipeline.
    RETURNS (list[Parameter]): each parameter once, also if several components share it.
    """
    found: dict[tuple[int, str], Parameter] = {}
    for component, pipe in nlp.components:
        model = getattr(pipe, "model", None)
        for node in model.walk() if isinstance(model, Model) else ():
            for parameter in [*_of_layer(component, node), *_of_modules(component, node)]:
                found.setdefault(parameter.key, parameter)
    return list(found.values())


def _of_layer(component: str, node: Model) -> Iterator[Parameter]:
    for name in node.param_names:
        if node.has_param(name):
            getter, setter = _accessors(node, name)
            yield Parameter(component, f"{node.name}.{name}", (node.id, name), getter, setter)


def _accessors(node: Model, name: str) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    return lambda: node.get_param(name), lambda value: node.set_param(name, value)


def _of_modules(component: str, node: Model) -> Iterator[Parameter]:
    for shim in node.shims:
        module = getattr(shim, "_model", None)
        if isinstance(module, torch.nn.Module):
            for name, weights in module.named_parameters():
                yield Parameter(component, name, (shim.id, name), _reader(module, name), _writer(module, name, weights))


def _reader(module: torch.nn.Module, name: str) -> Callable[[], Any]:
    return lambda: torch2xp(module.get_parameter(name).data)


def _writer(module: torch.nn.Module, name: str, weights: Tensor) -> Callable[[Any], None]:
    def write(value: Any) -> None:
        data, result = module.get_parameter(name).data, xp2torch(value, device=weights.device)
        if result.data_ptr() != data.data_ptr():
            data.copy_(result)

    return write


class SharedOptimizer:
    """Stands in for an optimizer while the components finish their updates, and takes the step once all have.

    The components of one process may have no gradient where others have one. So nothing is exchanged before it is
    known, of every parameter, whether any process has a gradient. Then all of them take the same step.

    optimizer (Optimizer): the optimizer.
    parameters (list[Parameter]): what it updates.
    processes (Processes): the processes.
    """

    def __init__(self, optimizer: Optimizer, parameters: list[Parameter], processes: Processes) -> None:
        self.optimizer = optimizer
        self.parameters = parameters
        self.processes = processes
        self._numbers = {parameter.key: number for number, parameter in enumerate(parameters)}
        self._gradients: dict[int, tuple[Tensor, float]] = {}

    def __call__(self, key: tuple[int, str], weights: Any, gradient: Any, *, lr_scale: float = 1.0) -> tuple[Any, Any]:
        """Take the gradient of a parameter; its weights stay as they are for now. Arguments as in Thinc's Optimizer."""
        if len(gradient):
            number = self._numbers[key]
            own = xp2torch(gradient).detach().to(self.processes.device, torch.float32, copy=True)
            before = self._gradients.get(number)
            self._gradients[number] = (own if before is None else own + before[0]), lr_scale
            gradient *= 0
        return weights, gradient

    def step(self) -> None:
        """Add up the gradients of all processes, and update the weights with them."""
        # Learning rates are above 0: a scale of 0 means that no process has a gradient.
        scales = torch.zeros(len(self.parameters), dtype=torch.float64, device=self.processes.device)
        for number, (_, scale) in self._gradients.items():
            scales[number] = scale
        found = self.processes.maximum(scales, "agreed on what to update").tolist()
        wanted = [number for number, scale in enumerate(found) if scale]
        for bucket in self._buckets(wanted):
            summed = self._sum([self._gradient(number) for number in bucket])
            for number, gradient in zip(bucket, summed, strict=True):
                self._update(self.parameters[number], gradient, found[number])
        self._gradients.clear()

    def _buckets(self, wanted: list[int]) -> Iterator[list[int]]:
        bucket: list[int] = []
        size = 0
        for number in wanted:
            bucket.append(number)
            size += self.parameters[number].get().size
            if size >= BUCKET:
                yield bucket
                bucket, size = [], 0
        if bucket:
            yield bucket

    def _gradient(self, number: int) -> Tensor:
        if number in self._gradients:
            return self._gradients[number][0]
        return torch.zeros(self.parameters[number].get().shape, device=self.processes.device)

    def _sum(self, gradients: list[Tensor]) -> list[Tensor]:
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        self.processes.sum(flat, "added up gradients")
        parts = flat.split([gradient.numel() for gradient in gradients])
        return [part.reshape(gradient.shape) for part, gradient in zip(parts, gradients, strict=True)]

    def _update(self, parameter: Parameter, gradient: Tensor, scale: float) -> None:
        summed: Any = torch2xp(gradient)
        changed, _ = self.optimizer(parameter.key, parameter.get(), summed, lr_scale=scale)
        parameter.set(changed)


def start_alike(parameters: list[Parameter], processes: Processes) -> None:
    """Check that all processes have the same pipeline, and give all of them the weights of the first.

    parameters (list[Parameter]): the parameters.
    processes (Processes): the processes.
    RAISES ValueError: they have other parameters.
    """
    shapes = [(parameter.component, parameter.name, tuple(parameter.get().shape)) for parameter in parameters]
    for number, others in enumerate(processes.gather(shapes, "compared pipelines")):
        if others != shapes:
            one = next(iter(set(map(str, others)) ^ set(map(str, shapes))), "their order")
            found = f"processes {processes.number} and {number} differ in {one}"
            raise ValueError(Errors.BB423.format(what="parameters", found=found))
    for parameter in parameters:
        tensor = processes.copy_from_main(parameter.tensor().to(processes.device).contiguous(), "shared weights")
        parameter.set(torch2xp(tensor))


def check_alike(parameters: list[Parameter], processes: Processes, step: int) -> None:
    """Check that all processes still have the same weights.

    parameters (list[Parameter]): the parameters.
    processes (Processes): the processes.
    step (int): the step, for the error message.
    RAISES RuntimeError: they differ.
    """
    tensors = [parameter.tensor().double() for parameter in parameters]
    sums = torch.stack([value for tensor in tensors for value in (tensor.sum(), tensor.abs().sum())])
    sums = sums.to(processes.device)
    highest = processes.maximum(sums.clone(), "compared weights")
    lowest = -processes.maximum(-sums, "compared weights")
    differing = ((highest - lowest) > TOLERANCE * highest.abs().clamp(min=1.0)).nonzero().flatten().tolist()
    if differing:
        parameter = parameters[differing[0] // 2]
        raise RuntimeError(Errors.BB421.format(component=parameter.component, name=parameter.name, step=step))
