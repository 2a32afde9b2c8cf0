"""For `--code`: registers what the configs of `qa` and `multiple_choice` name, where spaCy's commands read them."""

from scripts import budget, multiple_choice, qa_batches

REGISTERED = (budget, qa_batches, multiple_choice)
