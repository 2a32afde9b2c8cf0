"""Flax checkpoints, written once by flax itself, read without it."""

import json
import shutil
from pathlib import Path

import msgpack
import pytest
import torch
import transformers
from safetensors.torch import save_file

from spacy_bigbird.checkpoint.files import find_weights, read_weights
from spacy_bigbird.checkpoint.flax import read_flax, to_torch_names

FIXTURES = Path(__file__).parent / "fixtures"
NAMES = ["flax_float32", "flax_bfloat16"]


def reference(folder: Path, tensors: dict[str, torch.Tensor]) -> transformers.BigBirdForPreTraining:
    model = transformers.BigBirdForPreTraining(transformers.BigBirdConfig.from_pretrained(folder)).eval()
    result = model.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, strict=False)
    tied = {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"}
    assert (set(result.missing_keys), result.unexpected_keys) == (tied, [])
    return model


@pytest.mark.parametrize("name", NAMES)
def test_weights_give_what_flax_computed(name):
    expected = json.loads((FIXTURES / name / "expected.json").read_text())
    model = reference(FIXTURES / name, read_weights(find_weights(FIXTURES / name)))
    with torch.no_grad():
        outputs = model(**{key: torch.tensor(value) for key, value in expected["inputs"].items()})
    for key, values in expected["outputs"].items():
        mask = torch.tensor(expected["inputs"]["attention_mask"]).bool() if key == "prediction_logits" else ...
        torch.testing.assert_close(outputs[key][mask], torch.tensor(values)[mask], atol=2e-5, rtol=0)


def test_types_shapes_and_chunks():
    float32 = read_weights(FIXTURES / "flax_float32" / "flax_model.msgpack")
    bfloat16 = read_weights(FIXTURES / "flax_bfloat16" / "flax_model.msgpack.index.json")
    assert float32["bert.embeddings.word_embeddings.weight"].shape == (20, 8)
    assert float32["bert.encoder.layer.1.intermediate.dense.weight"].shape == (10, 8)
    assert float32["cls.seq_relationship.weight"].shape == (2, 8)
    assert {tensor.dtype for tensor in float32.values()} == {torch.float32}
    assert {tensor.dtype for tensor in bfloat16.values()} == {torch.bfloat16}
    assert float32.keys() == bfloat16.keys()
    for name, tensor in float32.items():
        assert torch.equal(tensor.to(torch.bfloat16), bfloat16[name]), name
    # The fixture's largest array really is in chunks.
    assert b"__msgpack_chunked_array__" in (FIXTURES / "flax_float32" / "flax_model.msgpack").read_bytes()


def test_safetensors_of_flax_are_recognized_by_their_metadata(tmp_path):
    kernel = torch.arange(6.0).reshape(2, 3)
    save_file({"pooler.kernel": kernel}, tmp_path / "model.safetensors", metadata={"format": "flax"})
    assert torch.equal(read_weights(tmp_path / "model.safetensors")["pooler.weight"], kernel.T)


def test_names_and_axes_of_every_kind_of_leaf():
    tensors = {
        "params/a/kernel": torch.arange(6.0).reshape(2, 3),
        "a/bias": torch.ones(3),
        "b.embedding": torch.ones(4, 2),
        "c/scale": torch.ones(2),
    }
    found = to_torch_names(tensors)
    assert {name: tuple(tensor.shape) for name, tensor in found.items()} == {
        "a.weight": (3, 2),
        "a.bias": (3,),
        "b.weight": (4, 2),
        "c.weight": (2,),
    }
    assert found["a.weight"].tolist() == [[0, 3], [1, 4], [2, 5]]


def test_scalars_and_wrapped_parameters(tmp_path):
    scalar = msgpack.ExtType(3, msgpack.packb(((), "float32", b"\x00\x00\x80\x3f")))
    path = tmp_path / "flax_model.msgpack"
    path.write_bytes(msgpack.packb({"params": {"a": {"bias": scalar}}}))
    assert read_flax(path)["a.bias"].item() == 1.0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not msgpack",
        msgpack.packb([1, 2]),
        msgpack.packb({"a": {"kernel": "text"}}),
        msgpack.packb({"a": {"kernel": 1 + 0}}),
        msgpack.packb({"a": msgpack.ExtType(2, msgpack.packb((1.0, 2.0)))}),
        msgpack.packb({"a": msgpack.ExtType(9, b"")}),
        msgpack.packb({"a": msgpack.ExtType(1, msgpack.packb(((2, 2), "float32", b"\x00")))}),
        msgpack.packb({"a": msgpack.ExtType(1, msgpack.packb(((1,), "object", b"\x00" * 8)))}),
        msgpack.packb({"a": {"__msgpack_chunked_array__": True, "shape": {}}}),
    ],
    ids=range(10),
)
def test_what_is_no_flax_checkpoint_is_refused(content, tmp_path):
    path = tmp_path / "flax_model.msgpack"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"BB055.*flax_model\.msgpack.*copy or download it again"):
        read_weights(path)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(kept, tmp_path):
    content = (FIXTURES / "flax_float32" / "flax_model.msgpack").read_bytes()
    path = tmp_path / "flax_model.msgpack"
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(ValueError, match="BB055"):
        read_weights(path)


def test_a_missing_part_is_named(tmp_path):
    shutil.copytree(FIXTURES / "flax_bfloat16", tmp_path, dirs_exist_ok=True)
    part = sorted(tmp_path.glob("flax_model-*.msgpack"))[1]
    part.unlink()
    with pytest.raises(ValueError, match=rf"BB056.*part that does not exist: {part.name}"):
        read_weights(find_weights(tmp_path))
