"""The recipes of the models, run from the repository's folder as `python -m project.models.recipes.NAME --help`."""
