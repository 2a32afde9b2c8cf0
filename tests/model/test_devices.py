"""Models on another device than the CPU. There need not be one: PyTorch's "meta" device knows shapes only, but refuses
to mix devices as a GPU does, so a tensor that was made in the wrong place is found.

What code reads from such tensors on the way (is everything padding? how long is this?) has no answer there, so the
tests give one.
"""

import numpy as np
import pytest
import torch
from torch.fx.experimental import _config as experimental

from spacy_bigbird.model import (
    BigBirdConfig,
    BigBirdForCausalLM,
    BigBirdForMaskedLM,
    BigBirdForMultipleChoice,
    BigBirdForPreTraining,
    BigBirdForQuestionAnswering,
    BigBirdForSequenceClassification,
    BigBirdForTokenClassification,
    BigBirdModel,
)

META = torch.device("meta")
CONFIG = BigBirdConfig(
    vocab_size=100, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, block_size=16
)
DENSE, SPARSE = 300, 2048
# Labels of each class: one per piece, or one per text.
LABELS = {
    BigBirdModel: {},
    BigBirdForMaskedLM: {"labels": "pieces"},
    BigBirdForPreTraining: {"labels": "pieces", "next_sentence_label": "texts"},
    BigBirdForSequenceClassification: {"labels": "texts"},
    BigBirdForTokenClassification: {"labels": "pieces"},
    BigBirdForQuestionAnswering: {"start_positions": "texts", "end_positions": "texts", "question_lengths": "texts"},
    BigBirdForMultipleChoice: {"labels": "texts"},
}


@pytest.fixture(autouse=True)
def answers(monkeypatch):
    """What is read from a tensor without values: true, zero, and of lists 300 in each place."""

    def listed(tensor):
        return np.full(tuple(tensor.shape), True if tensor.dtype == torch.bool else DENSE).tolist()

    for name, answer in (("__bool__", lambda _: True), ("item", lambda _: 0), ("tolist", listed)):
        original = getattr(torch.Tensor, name)
        monkeypatch.setattr(
            torch.Tensor,
            name,
            lambda tensor, original=original, answer=answer: (answer if tensor.is_meta else original)(tensor),
        )
    # Autocast knows no such device: it is off there.
    enabled, autocast = torch.is_autocast_enabled, torch.autocast
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda device="cpu": device != "meta" and enabled(device))
    monkeypatch.setattr(
        torch, "autocast", lambda device, **options: autocast("cpu" if device == "meta" else device, **options)
    )
    with experimental.patch(meta_nonzero_assume_all_nonzero=True):
        yield


def tensors_of(outputs):
    for value in vars(outputs).values():
        yield from [value] if isinstance(value, torch.Tensor) else value if isinstance(value, tuple) else []


def test_devices_are_not_mixed_in_silence():
    with pytest.raises(RuntimeError, match="device"):
        torch.ones(3) + torch.ones(3, device=META)


@pytest.mark.parametrize("length", [DENSE, SPARSE])
@pytest.mark.parametrize("model_class", LABELS)
def test_every_model_stays_on_its_device(model_class, length):
    model = model_class(CONFIG).to(META).train()
    ids = torch.empty(2, length, dtype=torch.long, device=META)
    labels = {"pieces": ids, "texts": ids[:, 0]}
    if model_class is BigBirdForMultipleChoice:
        ids = ids[:, None].expand(2, 3, length)
    arguments = {name: labels[kind] for name, kind in LABELS[model_class].items()}
    outputs = model(ids, attention_mask=torch.empty_like(ids), output_hidden_states=True, **arguments)
    found = list(tensors_of(outputs))
    assert len(found) > CONFIG.num_hidden_layers and {tensor.device for tensor in found} == {META}
    loss = outputs.last_hidden_state.sum() if model_class is BigBirdModel else outputs.loss
    loss.backward()
    assert {weight.grad.device for weight in model.parameters() if weight.grad is not None} == {META}


@pytest.mark.parametrize("training", [False, True])
def test_packed_documents_stay_on_their_device(training):
    model = BigBirdModel(CONFIG).to(META).train(training)
    with torch.set_grad_enabled(training):
        states = model.forward_packed(torch.empty(3000, dtype=torch.long, device=META), [2000, 900, 100])
    assert states.device == META


def test_a_decoder_writes_on_its_device():
    config = CONFIG.replace(is_decoder=True, add_cross_attention=True)
    model = BigBirdForCausalLM(config).to(META).eval()
    ids = torch.empty(2, 5, dtype=torch.long, device=META)
    read = torch.empty(2, 9, CONFIG.hidden_size, device=META)
    assert model(ids, labels=ids, encoder_hidden_states=read).loss.device == META
    assert model.generate(ids, max_new_tokens=3, encoder_hidden_states=read).device == META
