"""The recipes of the models, run from the folder `project` as `python -m models.scripts.NAME --help`."""
