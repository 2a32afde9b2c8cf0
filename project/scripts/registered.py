"""For `--code`: registers what the configs name, where spaCy's commands read them."""

from scripts import budget, multiple_choice, qa_batches

REGISTERED = (budget, qa_batches, multiple_choice)
