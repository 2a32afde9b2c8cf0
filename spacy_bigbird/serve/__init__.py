"""The service: pipelines over HTTP, with a page to read documents. `python -m spacy bigbird serve` starts it."""
