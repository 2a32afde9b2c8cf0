"""Registers the functions that the configs refer to. Pass it to spaCy's commands as `--code`."""

from scripts import budget, multiple_choice, qa_batches

REGISTERED = (budget, qa_batches, multiple_choice)
