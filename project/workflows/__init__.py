"""Workflows on real long documents, one file or folder per task.

`steps` has the steps of every workflow, each run from the project's folder as `python -m workflows.steps.NAME --help`:
`assets` fetches the corpora, `preprocess` writes them, `configure` writes the config of a system, `train` and
`evaluate` run one system of one task, `report` shows the results, and `run_all` does everything. `library` has what
tasks and steps share: `budget` gives every system the same training time, `systems` are the configs to compare, and
`tasks` says what steps need to know about a task.
"""
