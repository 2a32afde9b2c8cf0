"""Implementations of the same attention. Each is a module with two functions, and none falls back to another one.

`attend(query_key_value, plan, dropout)` computes the attention, and `refusal(query_key_value, plan, dropout)` says what
the engine cannot do with these arguments, or returns None.
"""

from types import ModuleType

from . import cpu, flex, reference, torch

ENGINES: dict[str, ModuleType] = {"reference": reference, "cpu": cpu, "torch": torch, "flex": flex}
