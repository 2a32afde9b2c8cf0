"""Registering attributes on spaCy's Doc and Span beside those of other packages, and saying so where they collide."""

import warnings
from collections.abc import Callable
from typing import Any

from ..warnings import Warnings

_reported: set[tuple[type, str]] = set()


def register(
    owner: Any, name: str, *, getter: Callable | None = None, setter: Callable | None = None, instead: str | None = None
) -> str:
    """Register an attribute if it is missing; without getter and setter, it stores values, and None is the default.

    An attribute that another package has registered is kept. If it cannot hold our values, because it is computed or
    stored in another way, this is reported once, and values go to another attribute where there is one.

    owner (type[Doc] | type[Span]): the class to extend.
    name (str): name of the attribute.
    getter (Callable | None): computes the value.
    setter (Callable | None): takes a new value.
    instead (str | None): name of the attribute to use instead.
    RETURNS (str): name of the attribute that holds our values.
    """
    if not owner.has_extension(name):
        owner.set_extension(name, **({"getter": getter, "setter": setter} if getter else {"default": None}))
    if owner.get_extension(name)[1:] == (None, getter, setter):
        return name
    if (owner, name) not in _reported:
        _reported.add((owner, name))
        span_or_doc = owner.__name__.lower()
        advice = f"components that use it cannot work unless {owner.__name__}.remove_extension({name!r}) is called"
        if instead:
            advice = f"our values are at {span_or_doc}._.{instead}"
        attribute = f"{span_or_doc}._.{name}"
        warnings.warn(Warnings.BW630.format(attribute=attribute, advice=advice), stacklevel=3)
    return register(owner, instead) if instead else name
