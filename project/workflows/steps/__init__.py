"""The steps that every workflow has, each run from the project's folder as `python -m workflows.steps.NAME --help`."""
