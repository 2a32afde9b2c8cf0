"""Weights in every format that transformers writes, and files that are not what they seem."""

import json
import os
import shutil
import stat
from pathlib import Path

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from spacy_bigbird.checkpoint import files
from spacy_bigbird.checkpoint.files import find_weights, read_weights, write_weights

TENSORS = {"a.weight": torch.arange(12.0).reshape(3, 4), "b.bias": torch.ones(2, dtype=torch.bfloat16)}


@pytest.fixture(scope="module")
def model() -> transformers.BigBirdModel:
    torch.manual_seed(0)
    sizes = {"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.BigBirdConfig(**sizes, intermediate_size=8, max_position_embeddings=16, block_size=4)
    return transformers.BigBirdModel(config)


@pytest.fixture(scope="module")
def damaged_files(tmp_path_factory) -> list:
    """Sound files in every format: (a path to write a damaged one to, the sound content)."""
    folder = tmp_path_factory.mktemp("damaged")
    write_weights(folder, TENSORS)
    torch.save(TENSORS, folder / "zip.bin")
    torch.save(TENSORS, folder / "old.bin", _use_new_zipfile_serialization=False)
    shutil.copy(Path(__file__).parent / "fixtures" / "flax_float32" / "flax_model.msgpack", folder)
    return [(path, path.read_bytes()) for path in sorted(folder.iterdir())]


@pytest.mark.parametrize("max_shard_size", ["1GB", "2KB"])
@pytest.mark.parametrize("safe_serialization", [True, False])
def test_what_transformers_writes_is_read_in_one_file_or_in_parts(model, safe_serialization, max_shard_size, tmp_path):
    model.save_pretrained(tmp_path, safe_serialization=safe_serialization, max_shard_size=max_shard_size)
    path = find_weights(tmp_path)
    stem = "model.safetensors" if safe_serialization else "pytorch_model.bin"
    assert path.name == (stem if max_shard_size == "1GB" else f"{stem}.index.json")
    tensors = read_weights(path)
    expected = model.state_dict()
    assert tensors.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(tensors[name], tensor), name


def test_the_old_format_of_torch_is_read(tmp_path):
    torch.save(TENSORS, tmp_path / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    tensors = read_weights(find_weights(tmp_path))
    assert torch.equal(tensors["a.weight"], TENSORS["a.weight"])


def test_safetensors_are_preferred(tmp_path):
    torch.save(TENSORS, tmp_path / "pytorch_model.bin")
    assert find_weights(tmp_path).name == "pytorch_model.bin"
    write_weights(tmp_path, TENSORS)
    assert find_weights(tmp_path).name == "model.safetensors"


def test_round_trip_keeps_values_types_and_metadata(tmp_path):
    transposed = {**TENSORS, "c": torch.arange(6.0).reshape(2, 3).T, "d": torch.nn.Parameter(torch.ones(1))}
    path = write_weights(tmp_path, transposed)
    tensors = read_weights(path)
    for name, tensor in transposed.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor), name
    with safe_open(path, framework="pt") as file:
        assert file.metadata() == {"format": "pt"}
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


@pytest.mark.skipif(os.name != "posix", reason="file modes of POSIX")
def test_the_file_has_the_usual_permissions(tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    path = write_weights(tmp_path, TENSORS)
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_an_interrupted_write_leaves_the_old_file_alone(tmp_path, monkeypatch):
    path = write_weights(tmp_path, TENSORS)
    before = path.read_bytes()

    def interrupted(_, temporary, **__):
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "save_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_weights(tmp_path, TENSORS)
    assert path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def bytes_read() -> int:
    """RETURNS (int): how many bytes this process has asked the system for so far."""
    return int(dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())["rchar"])


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="a count that Linux keeps")
@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "flax_model.msgpack"])
@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "BB055.*git lfs pull"),
        (b"<html>", "BB055.*cannot be read"),
        (b"", "BB055.*cannot be read"),
        (b"PK\x03\x04", "BB055.*cannot be read"),
    ],
    ids=["Git LFS", "HTML", "zeros", "zip"],
)
def test_of_a_damaged_file_only_the_beginning_is_read(name, start, expected, tmp_path):
    path = tmp_path / name
    with path.open("wb") as file:
        file.write(start)
        # A hole, which takes no room on the disk.
        file.truncate(1 << 30)
    before = bytes_read()
    with pytest.raises(ValueError, match=expected):
        read_weights(path)
    assert bytes_read() - before < 1 << 20


def test_a_directory_without_weights_lists_what_it_holds(tmp_path):
    (tmp_path / "tf_model.h5").touch()
    with pytest.raises(FileNotFoundError, match=r"BB054.*model\.safetensors, pytorch_model\.bin.*tf_model\.h5"):
        find_weights(tmp_path)


@pytest.mark.parametrize("kept", [0, 4, 40, -1])
@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_truncated_file_is_refused(name, kept, tmp_path):
    path = tmp_path / name
    if path.suffix == ".bin":
        torch.save(TENSORS, path)
    else:
        save_file(TENSORS, path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=rf"BB055.*{name} cannot be read.*copy or download it again"):
        read_weights(path)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "flax_model.msgpack"])
def test_a_foreign_file_and_a_git_lfs_pointer_are_refused(name, tmp_path):
    path = tmp_path / name
    path.write_text("<html>404 not found</html>")
    with pytest.raises(ValueError, match=f"BB055.*{name}"):
        read_weights(path)
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    with pytest.raises(ValueError, match="git lfs pull"):
        read_weights(path)


class Malicious:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def test_pickled_code_is_never_run(tmp_path):
    marker = tmp_path / "ran"
    torch.save({"a.weight": Malicious(marker)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"BB055.*pytorch_model\.bin"):
        read_weights(tmp_path / "pytorch_model.bin")
    assert not marker.exists()


@pytest.mark.parametrize(
    "content",
    [[1, 2], {"optimizer": {"a": torch.ones(1)}}, torch.ones(1), {1: torch.ones(1)}, {"a": torch.eye(2).to_sparse()}],
    ids=["list", "nested", "tensor", "numbers for names", "sparse"],
)
def test_a_pickle_of_something_else_is_refused(content, tmp_path):
    torch.save(content, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match="not a mapping of names to dense tensors"):
        read_weights(tmp_path / "pytorch_model.bin")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"weight_map": 3}', '{"weight_map": {"a": 3}}'])
def test_a_broken_index_is_refused(content, tmp_path):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(content)
    with pytest.raises(ValueError, match=r"BB055.*index\.json.*not an index of parts"):
        read_weights(index)


def test_an_index_names_what_is_missing(tmp_path):
    index = tmp_path / "model.safetensors.index.json"
    save_file(TENSORS, tmp_path / "part.safetensors")
    index.write_text(json.dumps({"weight_map": {"a.weight": "part.safetensors", "c": "gone.safetensors"}}))
    with pytest.raises(ValueError, match=r"BB056.*part that does not exist: gone\.safetensors"):
        read_weights(index)
    index.write_text(json.dumps({"weight_map": {"a.weight": "part.safetensors", "c": "part.safetensors"}}))
    with pytest.raises(ValueError, match=r"BB056.*tensor that does not exist: c\."):
        read_weights(index)


@pytest.mark.parametrize("part", ["model.safetensors.index.json", "notes.txt"])
def test_an_index_lists_files_of_weights_only(part, tmp_path):
    index = tmp_path / "model.safetensors.index.json"
    (tmp_path / part).touch()
    index.write_text(json.dumps({"weight_map": {"a.weight": part}}))
    with pytest.raises(ValueError, match=rf"BB056.*{part}"):
        read_weights(index)


def test_an_index_cannot_point_outside_its_directory(tmp_path):
    save_file(TENSORS, tmp_path / "part.safetensors")
    (tmp_path / "inside").mkdir()
    index = tmp_path / "inside" / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a.weight": "../part.safetensors"}}))
    with pytest.raises(ValueError, match="BB056"):
        read_weights(index)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_read_but_never_crashes(data, damaged_files):
    path, content = data.draw(st.sampled_from(damaged_files))
    damaged = bytearray(content[: data.draw(st.integers(1, len(content)))])
    for place in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=3)):
        damaged[place] = data.draw(st.integers(0, 255))
    path.write_bytes(damaged)
    try:
        tensors = read_weights(path)
    except ValueError as error:
        assert "BB055" in str(error)
    else:
        assert all(isinstance(tensor, torch.Tensor) for tensor in tensors.values())
