"""Workflows on real long documents. Every file is run from the project's folder, as `python -m scripts.NAME --help`.

`assets` finds the corpora, `parts` splits documents, `budget` gives every system the same training time, `systems`
writes the configs to compare, `train` and `evaluate` run one system of one task (`tasks`), `report` shows the results,
and `run_all` does everything.
"""
