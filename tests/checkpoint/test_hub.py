"""Where a checkpoint's directory comes from. The hub is a fake cache folder: no test touches a network."""

from pathlib import Path

import pytest

from spacy_bigbird.checkpoint import hub
from spacy_bigbird.checkpoint.hub import resolve_directory

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An offline hub whose cache holds toy/bigbird."""
    folder = tmp_path / "hub"
    repository = folder / "models--toy--bigbird"
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    (snapshot / "config.json").write_text("{}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return snapshot


def test_a_directory_is_taken_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "snapshot_download", lambda *args, **kwargs: pytest.fail("asked the hub"))
    assert resolve_directory(tmp_path) == tmp_path
    assert resolve_directory(str(tmp_path)) == tmp_path


def test_a_relative_directory_wins_over_a_hub_name(tmp_path, monkeypatch):
    (tmp_path / "toy" / "bigbird").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hub, "snapshot_download", lambda *args, **kwargs: pytest.fail("asked the hub"))
    assert resolve_directory("toy/bigbird") == Path("toy/bigbird")


@pytest.mark.parametrize("weights", [True, False])
def test_a_hub_name_works_offline_from_the_cache(cache, weights):
    assert resolve_directory("toy/bigbird", weights=weights).resolve() == cache.resolve()


def test_a_name_that_is_not_cached_gives_a_helpful_error(cache):
    with pytest.raises(FileNotFoundError, match=r"BB050.*toy/other.*Expected a directory.*hf download"):
        resolve_directory("toy/other")


@pytest.mark.parametrize("given", ["./missing", "/nowhere/at/all", "a/b/c", Path("missing"), "~/no-such-checkpoint"])
def test_what_looks_like_a_path_is_never_looked_up(given, monkeypatch):
    monkeypatch.setattr(hub, "snapshot_download", lambda *args, **kwargs: pytest.fail("asked the hub"))
    with pytest.raises(FileNotFoundError, match="not an existing directory"):
        resolve_directory(given)


def test_a_file_is_no_directory(tmp_path):
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"")
    with pytest.raises(FileNotFoundError, match="a file, not a directory"):
        resolve_directory(file)


def test_an_impossible_name_is_reported(cache):
    with pytest.raises(FileNotFoundError, match="BB050"):
        resolve_directory("no such name!")


def test_any_network_failure_falls_back_to_the_cache(cache, monkeypatch):
    real = hub.snapshot_download

    def broken(name, **kwargs):
        if not kwargs.get("local_files_only"):
            raise RuntimeError("proxy refused")
        return real(name, **kwargs)

    monkeypatch.setattr(hub, "snapshot_download", broken)
    assert resolve_directory("toy/bigbird").resolve() == cache.resolve()
    with pytest.raises(FileNotFoundError, match="proxy refused"):
        resolve_directory("toy/other")


def test_only_the_first_weight_format_on_offer_is_downloaded(tmp_path, monkeypatch):
    offered = ("config.json", "spiece.model", "pytorch_model.bin", "flax_model.msgpack")
    asked: list[str] = []

    def fake(name, allow_patterns, **kwargs):
        for file in offered:
            if file in allow_patterns:
                asked.append(file)
                (tmp_path / file).touch()
        return str(tmp_path)

    monkeypatch.setattr(hub, "snapshot_download", fake)
    resolve_directory("toy/bigbird", weights=False)
    assert set(asked) == {"config.json", "spiece.model"}
    resolve_directory("toy/bigbird")
    assert set(asked) == {"config.json", "spiece.model", "pytorch_model.bin"}


def test_a_revision_is_what_the_cache_has_under_its_name(cache):
    older = "89abcdef0123456789abcdef0123456789abcdef"
    snapshot = cache.parent / older
    snapshot.mkdir()
    (snapshot / "config.json").write_text('{"older": true}')
    (cache.parent.parent / "refs" / "v1").write_text(older)
    for revision in ("v1", older):
        for weights in (True, False):
            assert resolve_directory("toy/bigbird", revision=revision, weights=weights).resolve() == snapshot.resolve()
    assert resolve_directory("toy/bigbird", revision="main").resolve() == cache.resolve()


@pytest.mark.parametrize("revision", ["v2", "ffffffffffffffffffffffffffffffffffffffff"])
def test_a_revision_that_does_not_exist_is_named_and_never_replaced(cache, revision):
    with pytest.raises(FileNotFoundError, match=rf"BB050.*toy/bigbird.*its revision '{revision}'"):
        resolve_directory("toy/bigbird", revision=revision)


def test_a_revision_of_a_directory_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"BB063.*'v1'.*local directory"):
        resolve_directory(tmp_path, revision="v1")


def test_every_file_is_of_the_revision(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(hub, "snapshot_download", lambda *_, **options: asked.append(options) or str(tmp_path))
    resolve_directory("toy/bigbird", revision="v1")
    assert len(asked) > 1 and {options["revision"] for options in asked} == {"v1"}
