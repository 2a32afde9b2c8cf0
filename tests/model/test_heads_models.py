"""What all models with a head promise: padding, packed rows, bf16, tied weights, errors."""

import copy
import pickle

import pytest
import torch

import spacy_bigbird.model
from spacy_bigbird.model import (
    BigBirdForCausalLM,
    BigBirdForMaskedLM,
    BigBirdForMultipleChoice,
    BigBirdForPreTraining,
    BigBirdForQuestionAnswering,
    BigBirdForSequenceClassification,
    BigBirdForTokenClassification,
)

from .toy_models import SMALL

CONFIG = SMALL.replace(num_labels=3)
LANGUAGE_MODELS = [BigBirdForMaskedLM, BigBirdForPreTraining, BigBirdForCausalLM]
ALL_MODELS = [
    *LANGUAGE_MODELS,
    BigBirdForTokenClassification,
    BigBirdForSequenceClassification,
    BigBirdForMultipleChoice,
    BigBirdForQuestionAnswering,
]
all_models = pytest.mark.parametrize("model_class", ALL_MODELS)
language_models = pytest.mark.parametrize("model_class", LANGUAGE_MODELS)


def make_model(model_class, **changes):
    torch.manual_seed(0)
    return model_class(CONFIG.replace(**changes)).eval()


def make_inputs(model, lengths=(40, 17), columns=44):
    ids = torch.randint(3, 80, (len(lengths), columns), generator=torch.Generator().manual_seed(1))
    ids[:, 6] = 66
    mask = (torch.arange(columns) < torch.tensor(lengths)[:, None]).long()
    inputs = {"input_ids": ids, "attention_mask": mask}
    if isinstance(model, BigBirdForMultipleChoice):
        inputs = {key: value[None] for key, value in inputs.items()}
    return inputs


def make_labels(model, lengths=(40, 17), columns=44):
    """Labels for everything, padding included."""
    if isinstance(model, BigBirdForMultipleChoice):
        return {"labels": torch.tensor([1])}
    if isinstance(model, BigBirdForSequenceClassification):
        return {"labels": torch.tensor([2, 0])}
    if isinstance(model, BigBirdForQuestionAnswering):
        return {"start_positions": torch.tensor([9, 20]), "end_positions": torch.tensor([12, 10])}
    labels = {"labels": torch.arange(2 * columns).view(2, columns) % 3}
    if isinstance(model, BigBirdForPreTraining):
        labels["next_sentence_label"] = torch.tensor([1, 0])
    return labels


def values_of(output):
    return {name: value for name, value in vars(output).items() if isinstance(value, torch.Tensor)}


def test_the_public_names():
    assert set(spacy_bigbird.model.__all__) >= {model_class.__name__ for model_class in ALL_MODELS}


@all_models
def test_what_stands_in_padding_makes_no_difference(model_class):
    model = make_model(model_class)
    inputs, labels = make_inputs(model), make_labels(model)
    expected = values_of(model(**inputs, **labels))
    assert expected["loss"].isfinite() and expected["loss"] > 0
    other_ids = torch.where(inputs["attention_mask"].bool(), inputs["input_ids"], 3 + (inputs["input_ids"] + 7) % 60)
    if "labels" in labels and labels["labels"].dim() == 2:
        labels["labels"] = torch.where(inputs["attention_mask"].bool(), labels["labels"], 1)
    again = values_of(model(**{**inputs, "input_ids": other_ids}, **labels))
    for name, value in expected.items():
        torch.testing.assert_close(again[name], value, atol=1e-6, rtol=1e-6)
        if value.dim() >= 2 and value.shape[:2] == (2, 44):
            padding = value[~inputs["attention_mask"].bool()]
            assert (padding == (-1e6 if name in ("start_logits", "end_logits") else 0)).all()


@all_models
def test_a_batch_is_its_rows(model_class):
    model = make_model(model_class)
    inputs = make_inputs(model)
    together = values_of(model(**inputs))
    for row, length in enumerate((40, 17)):
        rows = {key: value[..., row : row + 1, :length] for key, value in inputs.items()}
        for name, value in values_of(model(**rows)).items():
            if isinstance(model, BigBirdForMultipleChoice):
                expected = together[name][:, row : row + 1]
            else:
                expected = together[name][row : row + 1]
                expected = expected[:, :length] if expected.shape[1] == 44 else expected
            torch.testing.assert_close(value, expected, atol=1e-5, rtol=1e-5)


def packed(model, inputs):
    mask = inputs["attention_mask"].reshape(-1, 44).bool()
    lengths = mask.sum(1).tolist()
    ids = inputs["input_ids"].reshape(-1, 44)[mask]
    return model.bigbird.forward_packed(ids, lengths), torch.tensor([0, *lengths[:-1]]).cumsum(0), mask


def test_heads_on_packed_rows():
    for model_class in ALL_MODELS:
        if model_class is BigBirdForCausalLM:
            continue
        model = make_model(model_class)
        inputs = make_inputs(model)
        rows, first_rows, mask = packed(model, inputs)
        pairs = []
        if model_class is BigBirdForQuestionAnswering:
            types = torch.zeros_like(inputs["input_ids"])
            output = model(**inputs, token_type_ids=types, question_lengths=torch.tensor([[0], [0]]))
            pairs = [(model.qa_head(rows), torch.stack([output.start_logits, output.end_logits], dim=-1)[mask])]
        elif model_class is BigBirdForMultipleChoice:
            pairs = [(model.score(model.bigbird.pool(rows[first_rows])), model(**inputs).logits[0])]
        elif model_class is BigBirdForSequenceClassification:
            pairs = [(model.classifier(rows[first_rows]), model(**inputs).logits)]
        elif model_class is BigBirdForTokenClassification:
            pairs = [(model.score(rows), model(**inputs).logits[mask])]
        elif model_class is BigBirdForMaskedLM:
            pairs = [(model.lm_head(rows), model(**inputs).logits[mask])]
        else:
            output = model(**inputs)
            pooled = model.bigbird.pool(rows[first_rows])
            pairs = [(model.lm_head(rows), output.prediction_logits[mask])]
            pairs += [(model.next_sentence(pooled), output.seq_relationship_logits)]
        for one, other in pairs:
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@all_models
def test_training_reduces_the_loss_with_checkpointing_and_mixed_precision(model_class):
    model = make_model(model_class).train()
    model.bigbird.gradient_checkpointing = True
    inputs, labels = make_inputs(model), make_labels(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    losses = []
    for _ in range(8):
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(**inputs, **labels).loss
        assert loss.dtype == torch.float32
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


@all_models
def test_bfloat16_is_near_float32(model_class):
    model = make_model(model_class)
    inputs = make_inputs(model)
    with torch.no_grad():
        expected = values_of(model(**inputs))
        converted = values_of(copy.deepcopy(model).bfloat16()(**inputs))
        with torch.autocast("cpu", torch.bfloat16):
            autocast = values_of(model(**inputs))
    for values in (autocast, converted):
        for name, value in expected.items():
            error = (values[name].float() - value).abs().mean()
            assert error < 0.06 * max(1.0, float(value[value > -1e5].abs().mean()))


@all_models
def test_no_label_left_is_a_loss_of_zero_with_zero_gradients(model_class):
    model = make_model(model_class)
    labels = {key: torch.full_like(value, -100) for key, value in make_labels(model).items()}
    loss = model(**make_inputs(model), **labels).loss
    assert loss == 0
    loss.backward()
    assert all((parameter.grad == 0).all() for parameter in model.parameters() if parameter.grad is not None)


@all_models
def test_labels_of_another_shape(model_class):
    model = make_model(model_class)
    if model_class is BigBirdForQuestionAnswering:
        wrong = {"start_positions": torch.zeros(3, dtype=torch.long), "end_positions": torch.zeros(3, dtype=torch.long)}
    else:
        wrong = {"labels": torch.zeros(5, 4, dtype=torch.long)}
    with pytest.raises(ValueError, match=r"\[BB10[0-9]\]"):
        model(**make_inputs(model), **wrong)


def is_tied(model):
    decoder, words = model.lm_head.decoder.weight, model.bigbird.embeddings.word_embeddings.weight
    return decoder is words and decoder.data_ptr() == words.data_ptr()


@language_models
def test_tied_weights_stay_tied(model_class, tmp_path):
    model = make_model(model_class)
    assert is_tied(model)
    assert sum(name.endswith("decoder.weight") for name, _ in model.named_parameters()) == 0
    for other in (
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model).double(),
        copy.deepcopy(model).to(torch.bfloat16),
        copy.deepcopy(model).to("meta").to_empty(device="cpu"),
    ):
        assert is_tied(other) and other.lm_head.decoder.weight is not model.lm_head.decoder.weight
    loaded = make_model(model_class)
    for assign in (False, True):
        loaded.load_state_dict({key: value.clone() for key, value in model.state_dict().items()}, assign=assign)
        assert is_tied(loaded)
    model.save_pretrained(tmp_path)
    assert is_tied(model_class.from_pretrained(tmp_path))
    apart = make_model(model_class, tie_word_embeddings=False)
    assert not is_tied(apart) and not torch.equal(
        apart.lm_head.decoder.weight, apart.bigbird.embeddings.word_embeddings.weight
    )


@language_models
def test_training_moves_the_tied_weights_together(model_class):
    model = make_model(model_class).train()
    before = model.lm_head.decoder.weight.detach().clone()
    model(**make_inputs(model), **make_labels(model)).loss.backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    assert is_tied(model) and not torch.equal(model.lm_head.decoder.weight, before)


def test_logits_at_labels_only():
    model = make_model(BigBirdForMaskedLM)
    inputs = make_inputs(model)
    labels = torch.full((2, 44), -100)
    labels[0, [3, 30, 43]], labels[1, [2, 16, 20]] = torch.tensor([5, 6, 7]), torch.tensor([8, 9, 10])
    full = model(**inputs, labels=labels)
    few = model(**inputs, labels=labels, logits_at_labels_only=True)
    # The last of each row lie in padding.
    expected = full.logits[[0, 0, 1, 1], [3, 30, 2, 16]]
    torch.testing.assert_close(few.logits, expected, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(few.loss, full.loss)
    by_hand = -expected.log_softmax(-1)[torch.arange(4), [5, 6, 8, 9]].mean()
    torch.testing.assert_close(few.loss, by_hand)


def test_pretraining_adds_the_losses_that_were_asked_for():
    model = make_model(BigBirdForPreTraining)
    inputs, labels = make_inputs(model), make_labels(model)
    both = model(**inputs, **labels).loss
    alone = [model(**inputs, **{name: value}).loss for name, value in labels.items()]
    torch.testing.assert_close(both, alone[0] + alone[1])
    assert model(**inputs).loss is None


def test_causal_loss_compares_with_the_next_piece():
    model = make_model(BigBirdForCausalLM)
    ids = make_inputs(model)["input_ids"]
    mask = torch.ones_like(ids)
    mask[1, :5] = 0
    output = model(ids, attention_mask=mask, labels=ids)
    scores = output.logits.log_softmax(-1)
    losses = [-scores[0, place, ids[0, place + 1]] for place in range(43)]
    losses += [-scores[1, place, ids[1, place + 1]] for place in range(5, 43)]
    torch.testing.assert_close(output.loss, torch.stack(losses).mean())
    past = model(ids[:, :20], attention_mask=mask[:, :20]).past_key_values
    rest = model(ids[:, 20:], attention_mask=mask, past_key_values=past, labels=ids[:, 20:])
    torch.testing.assert_close(rest.loss, torch.stack(losses[20:43] + losses[43 + 15 :]).mean())


def test_choices_need_an_axis_of_their_own():
    model = make_model(BigBirdForMultipleChoice)
    with pytest.raises(ValueError, match=r"\(batch, choices, seq\), got \(2, 9\)"):
        model(torch.ones(2, 9, dtype=torch.long))
    with pytest.raises(ValueError, match="got None"):
        model()
    positions = torch.arange(44)[None]
    inputs = make_inputs(model)
    torch.testing.assert_close(model(**inputs, position_ids=positions).logits, model(**inputs).logits)
