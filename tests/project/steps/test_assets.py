"""Corpora are fetched as the project file says."""

import itertools

import pytest
import srsly

from project.workflows.library import sources
from project.workflows.steps import assets

from ..stand_ins import PROJECT, write_archive


def test_assets_are_those_of_the_project_file_and_fetched_only_when_missing(tmp_path, monkeypatch):
    described = {asset["dest"]: asset for asset in srsly.read_yaml(PROJECT / "project.yml")["assets"]}
    # A corpus of several files has a folder.
    upstream = [source.upstream for source in sources.SOURCES.values()]
    files = {path: [dest for dest in described if f"{dest}/".startswith(f"{path}/")] for path in upstream}
    assert all(files.values()) and sorted(itertools.chain(*files.values())) == sorted(described)
    fetched = []
    monkeypatch.setattr("weasel.cli.assets.fetch_asset", lambda root, url, dest, checksum: fetched.append((url, dest)))
    monkeypatch.delenv(sources.VARIABLE, raising=False)
    srsly.write_yaml(tmp_path / "project.yml", {"assets": list(described.values())})
    with pytest.raises(FileNotFoundError):
        assets.fetch(["litbank"], tmp_path)
    ((url, dest),) = fetched
    assert dest.as_posix() == "assets/litbank.tar.gz" and url == described[str(dest)]["url"]
    write_archive(tmp_path / "assets" / "litbank.tar.gz", {"a": ""})
    assets.fetch(["litbank"], tmp_path)
    monkeypatch.setenv(sources.VARIABLE, str(tmp_path))
    with pytest.raises(FileNotFoundError):
        assets.fetch(["novels"], tmp_path)
    assert len(fetched) == 1
