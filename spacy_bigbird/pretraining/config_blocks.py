"""Blocks of a config file as dataclasses, whose types, defaults and allowed values are checked together."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors.closest import did_you_mean


@dataclass(frozen=True)
class _Rule:
    """The allowed values of a setting, as a predicate and in words."""

    allows: Callable[[Any], bool]
    expected: str


def setting(default: Any, allows: Callable[[Any], bool], expected: str) -> Any:
    """Create a field of a block.

    default (Any): value used if the config file does not set the field.
    allows (Callable[[Any], bool]): whether a value of the right type is allowed.
    expected (str): the allowed values, in words.
    RETURNS (Any): the field.
    """
    return field(default=default, metadata={"rule": _Rule(allows, expected)})


def count(default: Any, least: int = 1) -> Any:
    """Create a field for a whole number of at least `least`."""
    return setting(default, lambda value: value >= least, f"a whole number of at least {least}")


def share(default: float) -> Any:
    """Create a field for a number from 0 to 1."""
    return setting(default, lambda value: 0 <= value <= 1, "a number from 0 to 1")


def positive(default: float) -> Any:
    """Create a field for a number above 0."""
    return setting(default, lambda value: 0 < value < math.inf, "a number above 0")


def one_of(*names: str) -> Any:
    """Create a field for one of several names, the first of which is the default."""
    return setting(names[0], lambda value: value in names, " or ".join(map(repr, names)))


def build_block(cls: Any, values: Any, where: str, problems: list[str]) -> Any:
    """Build a dataclass, and the dataclasses nested in it, from the values of a config file.

    cls (type): the dataclass.
    values (Any): settings by name.
    where (str): name of the block, for messages; "" for the whole file.
    problems (list[str]): receives a message for every unknown, missing or invalid setting.
    RETURNS (Any): an instance, or None if there are problems.
    """
    if not isinstance(values, Mapping):
        problems.append(f"{where} = {values!r}: expected a block [{where}]")
        return None
    hints = typing.get_type_hints(cls)
    known = {one.name: one for one in dataclasses.fields(cls)}
    prefix = f"{where}." if where else ""
    for name in values:
        if name not in known:
            hint = did_you_mean([name], known)
            problems.append(f"{prefix}{name}: there is no such setting.{hint} Known here: {', '.join(known)}")
    arguments = {}
    for name, one in known.items():
        is_required = one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
        # An empty setting in a config file is read as None.
        if name not in values or (values[name] is None and is_required):
            if is_required:
                problems.append(f"{prefix}{name}: must be given")
            continue
        if dataclasses.is_dataclass(hints[name]):
            arguments[name] = build_block(hints[name], values[name], f"{prefix}{name}", problems)
            continue
        value, expected = _converted(values[name], hints[name])
        rule: _Rule | None = one.metadata.get("rule")
        if expected is None and rule is not None and not rule.allows(value):
            expected = rule.expected
        if expected is not None:
            problems.append(f"{prefix}{name} = {values[name]!r}: expected {expected}")
        arguments[name] = value
    return None if problems else cls(**arguments)


def _converted(value: Any, hint: Any) -> tuple[Any, str | None]:
    """Convert a value to the expected type. The second item says what was expected if the value does not fit."""
    if type(None) in typing.get_args(hint):
        if value is None:
            return None, None
        hint = typing.get_args(hint)[0]
    hint = typing.get_origin(hint) or hint
    if hint is float and type(value) is int:
        return float(value), None
    if hint is list and type(value) is str:
        return [value], None
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a string"}
    fits = type(value) is hint if hint in words else isinstance(value, hint)
    return value, None if fits else words.get(hint, "a block" if hint is dict else "a list")
