"""Workflows on real long documents. Every file is run from the project's folder, as `python -m scripts.NAME --help`.

`assets` finds the corpora, `parts` cuts documents, `budget` gives every system the same time, `systems` writes the
configs that are compared, `train` and `evaluate` run one system of one task (`tasks`), `report` shows what came out,
`run_all` does everything.
"""
