"""Names that training tools put around a model's own: prefixes of its modules, and dictionaries around its weights."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor

# Modules that PyTorch puts around parts of a model: torch.compile, DistributedDataParallel and DataParallel, FSDP and
# activation checkpointing.
WRAPPERS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
# Where training tools such as Lightning, DeepSpeed and many a script keep the weights among other things.
NESTS = ("state_dict", "model_state_dict", "model", "module")


def without_nests(content: Any) -> dict[str, Tensor] | None:
    """Find the weights in what a training tool saved.

    content (Any): the content of a file.
    RETURNS (dict[str, Tensor] | None): the weights, with the keys of the dictionaries around them before their names
        ("state_dict.model.bert..."); None if there are none.
    """
    if not isinstance(content, Mapping):
        return None
    if content and all(isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()):
        return dict(content)
    for nest in NESTS:
        inner = without_nests(content.get(nest))
        if inner is not None:
            return {f"{nest}.{name}": tensor for name, tensor in inner.items()}
    return None


def without_wrappers(
    names: Iterable[str], is_known: Callable[[str], bool], is_base: Callable[[str], bool]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Strip what training tools put into the names of weights.

    A prefix is stripped if all weights of the base model have it, so that two models in one file ("student.bert...",
    "teacher.bert...") are never mixed.

    names (Iterable[str]): the names in a file.
    is_known (Callable[[str], bool]): whether a name is one of BigBird's.
    is_base (Callable[[str], bool]): whether a known name is one of the base model's.
    RETURNS (tuple[dict[str, str], tuple[str, ...]]): the new name by name in the file, and what was stripped.
    """
    bare = {name: ".".join(part for part in name.split(".") if part not in WRAPPERS) for name in names}
    stripped = [f"{wrapper}." for wrapper in WRAPPERS if any(wrapper in name.split(".") for name in bare)]
    if len(set(bare.values())) < len(bare):
        return {name: name for name in bare}, ()
    prefixes = {name: _prefix(own, is_known) for name, own in bare.items()}
    of_base = {prefix for name, prefix in prefixes.items() if prefix is not None and is_base(bare[name][len(prefix) :])}
    prefix = of_base.pop() if len(of_base) == 1 else ""
    if prefix:
        taken = {own for own in bare.values() if not own.startswith(prefix)}
        bare = {
            name: own[len(prefix) :] if own.startswith(prefix) and own[len(prefix) :] not in taken else own
            for name, own in bare.items()
        }
        stripped.append(prefix)
    return bare, tuple(stripped)


def _prefix(name: str, is_known: Callable[[str], bool]) -> str | None:
    """The shortest prefix, in whole parts, without which a name is known; None if there is none."""
    start = 0
    while not is_known(name[start:]):
        start = name.find(".", start) + 1
        if not start:
            return None
    return name[:start]
