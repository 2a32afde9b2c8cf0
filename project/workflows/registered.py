"""Registers the functions that the configs refer to. Pass it to spaCy's commands as `--code`."""

from workflows.library import budget
from workflows.multiple_choice import task as multiple_choice
from workflows.qa import batches

REGISTERED = (budget, batches, multiple_choice)
