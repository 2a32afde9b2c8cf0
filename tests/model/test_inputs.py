"""What the encoder takes, and how it says what it does not take."""

import pytest
import torch

from .toy_models import MODELS, make_model, make_sequences


def test_a_mask_with_holes_is_honoured_by_dense_attention():
    model = make_model()
    ids = make_sequences([20])[0][None].repeat(2, 1)
    mask = torch.ones(2, 20)
    mask[0, [0, 7, 8]] = 0
    ids[1, [0, 7, 8]] = 5
    kept = mask[0].bool()
    output = model(ids, attention_mask=mask).last_hidden_state
    alone = model(ids[:1, kept], position_ids=torch.arange(20)[None, kept]).last_hidden_state
    torch.testing.assert_close(output[0, kept], alone[0], rtol=0, atol=1e-6)
    assert (output[0, ~kept] == 0).all()


def test_a_row_without_any_piece_is_zero():
    model = make_model()
    mask = torch.ones(3, 10)
    mask[1] = 0
    output = model(torch.full((3, 10), 7), attention_mask=mask)
    assert (output.last_hidden_state[1] == 0).all()
    torch.testing.assert_close(output.last_hidden_state[0], output.last_hidden_state[2])
    nothing = model(torch.full((1, 10), 7), attention_mask=torch.zeros(1, 10), output_attentions=True)
    assert (nothing.last_hidden_state == 0).all() and (nothing.attentions[1] == 0).all()


@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        ({}, "BB090", "neither"),
        ({"input_ids": torch.ones(1, 4).long(), "inputs_embeds": torch.ones(1, 4, 24)}, "BB090", "both"),
        ({"input_ids": torch.ones(4).long()}, "BB091", r"\(4,\)"),
        ({"input_ids": torch.ones(1, 701).long()}, "BB092", "701"),
        ({"input_ids": torch.ones(2, 4).long(), "attention_mask": torch.zeros(1, 4)}, "BB093", r"\(2, 4\)"),
        (
            {"input_ids": torch.ones(2, 99).long(), "attention_mask": torch.tensor([[1] * 99, [0] + [1] * 98])},
            "BB094",
            "Row 1 .* 98 pieces",
        ),
        ({"input_ids": torch.tensor([[3, 90]])}, "BB095", "Id 90 .* 90 pieces"),
        ({"input_ids": torch.tensor([[-1, 3]])}, "BB095", "Id -1"),
    ],
)
def test_wrong_input_is_explained(arguments, code, hint):
    with pytest.raises(ValueError, match=rf"\[{code}\].*{hint}"):
        MODELS["paper"](**arguments)


@pytest.mark.parametrize(
    ("ids", "lengths", "code"),
    [([3, 4], [3], "BB096"), ([3, 4], [2, 0], "BB096"), ([3] * 701, [701], "BB092"), ([99], [1], "BB095")],
)
def test_wrong_packed_input_is_explained(ids, lengths, code):
    with pytest.raises(ValueError, match=code):
        MODELS["paper"].forward_packed(torch.tensor(ids), lengths)


def test_nothing_to_encode():
    assert MODELS["paper"].forward_packed(torch.tensor([], dtype=torch.long), []).shape == (0, 24)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"attention_mask": torch.ones(2, 7)}, r"BB093.*\(2, 7\).*\(2, 40\)"),
        ({"head_mask": torch.ones(2)}, r"head_mask: got \(2,\), expected \(3,\) for all layers alike, or \(2, 3\)"),
        ({"head_mask": torch.ones(4, 3)}, r"head_mask: got \(4, 3\)"),
        ({"token_type_ids": torch.full((2, 40), 2)}, "token_type_ids: got 2, expected 0 to 1"),
        ({"position_ids": torch.arange(700, 740)[None]}, "position_ids: got 700, expected 0 to 699"),
    ],
)
@pytest.mark.parametrize("fields", [{}, {"is_decoder": True}], ids=["encoder", "decoder"])
def test_inputs_that_do_not_fit_are_named(fields, arguments, message):
    if fields and "attention_mask" in arguments:
        message = r"attention_mask: got \(2, 7\), expected \(2, 40\)"
    with pytest.raises(ValueError, match=message):
        make_model(**fields)(torch.stack(make_sequences([40, 40])), **arguments)
