"""Every head computes what transformers' computes in eval mode: outputs, losses and gradients."""

import pytest
import torch
import transformers

from .parity import (
    ATTENTION_TYPES,
    DENSE_LIMIT,
    MAXIMUM,
    assert_parity,
    assert_same_outputs,
    make_ids,
    make_mask,
    make_pair,
    run_theirs,
)

both_attention_types = pytest.mark.parametrize("attention_type", ATTENTION_TYPES)
lengths_around_borders = pytest.mark.parametrize("columns", [4, 21, DENSE_LIMIT, DENSE_LIMIT + 1, 40, MAXIMUM])
HEADS = {
    "BigBirdForPreTraining": {"labels": "pieces", "next_sentence_label": "rows"},
    "BigBirdForMaskedLM": {"labels": "pieces"},
    "BigBirdForTokenClassification": {"labels": "tags"},
    "BigBirdForSequenceClassification": {"labels": "rows"},
}
SETTINGS = [
    {"use_bias": False, "hidden_act": "relu"},
    {"rescale_embeddings": True, "layer_norm_eps": 1e-3},
    {"hidden_act": "gelu", "type_vocab_size": 3, "num_random_blocks": 2},
    {"classifier_dropout": 0.5, "num_labels": 5},
]


def make_labels(kind, mask, classes, seed=5):
    """Labels as transformers wants them, -100 at padding and at some pieces."""
    if kind == "rows":
        return torch.arange(len(mask)) % 2
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, classes, mask.shape, generator=generator)
    return labels.masked_fill((mask == 0) | (torch.rand(mask.shape, generator=generator) < 0.3), -100)


def make_inputs(name, columns, config, drop=3):
    mask = make_mask([columns, columns - drop, max(1, columns // 2)], columns)
    classes = config.num_labels if "Token" in name else config.vocab_size
    labels = {key: make_labels(kind, mask, classes) for key, kind in HEADS[name].items()}
    return {"input_ids": make_ids(3, columns), "attention_mask": mask, **labels}


@both_attention_types
@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("changes", [{}, *SETTINGS], ids=str)
def test_heads(name, attention_type, changes):
    ours, theirs = make_pair(name, attention_type=attention_type, **changes)
    assert (ours.bigbird.pooler is None) == (theirs.bert.pooler is None)
    for columns in (22, 41):
        assert_parity(ours, theirs, **make_inputs(name, columns, ours.config))


@both_attention_types
@lengths_around_borders
@pytest.mark.parametrize("name", HEADS)
def test_heads_at_every_length(name, attention_type, columns):
    ours, theirs = make_pair(name, attention_type=attention_type)
    assert_parity(ours, theirs, output_hidden_states=True, **make_inputs(name, columns, ours.config))


@pytest.mark.parametrize("name", HEADS)
def test_heads_pass_on_all_arguments(name):
    ours, theirs = make_pair(name, attention_type="original_full")
    inputs = make_inputs(name, 20, ours.config)
    ids = inputs.pop("input_ids")
    inputs |= {
        "token_type_ids": torch.ones_like(ids),
        "position_ids": torch.arange(20).flip(0)[None],
        "head_mask": torch.tensor([1.0, 0.0, 0.5]),
        "output_attentions": True,
        "output_hidden_states": True,
    }
    assert_parity(ours, theirs, input_ids=ids, **inputs)
    embeddings = torch.randn(3, 20, ours.config.hidden_size, generator=torch.Generator().manual_seed(4))
    assert_parity(ours, theirs, inputs_embeds=embeddings, **inputs)


@pytest.mark.parametrize("name", ["BigBirdForMaskedLM", "BigBirdForPreTraining"])
def test_a_head_with_weights_of_its_own(name):
    ours, theirs = make_pair(name, tie_word_embeddings=False)
    assert ours.lm_head.decoder.weight is not ours.bigbird.embeddings.word_embeddings.weight
    assert_parity(ours, theirs, **make_inputs(name, 37, ours.config))


@both_attention_types
@pytest.mark.parametrize(
    "changes, labels",
    [
        ({"num_labels": 1}, torch.tensor([0.3, -1.0, 2.0])),
        ({"num_labels": 1}, torch.tensor([[0.3], [-1.0], [2.0]])),
        ({"num_labels": 3, "problem_type": "regression"}, torch.linspace(-1, 1, 9).view(3, 3)),
        ({"num_labels": 4}, torch.tensor([3, 0, 2])),
        ({"num_labels": 4, "problem_type": "single_label_classification"}, torch.tensor([3, 0, -100])),
        ({"num_labels": 3}, torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0]])),
        ({"num_labels": 2, "problem_type": "multi_label_classification"}, torch.tensor([[1.0, 0], [0, 0], [1, 1]])),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "labels",
)
def test_kinds_of_sequence_labels(attention_type, changes, labels):
    ours, theirs = make_pair("BigBirdForSequenceClassification", attention_type=attention_type, **changes)
    inputs = {"input_ids": make_ids(3, 33), "attention_mask": make_mask([33, 30, 9], 33), "labels": labels}
    assert_parity(ours, theirs, **inputs)


@both_attention_types
@lengths_around_borders
def test_multiple_choice(attention_type, columns):
    ours, theirs = make_pair("BigBirdForMultipleChoice", attention_type=attention_type)
    ids = make_ids(6, columns).view(2, 3, columns)
    mask = make_mask([columns, columns, max(1, columns - 5), columns - 1, 1, columns], columns).view(2, 3, columns)
    types = torch.zeros_like(ids)
    types[..., columns // 2 :] = 1
    inputs = {"attention_mask": mask, "token_type_ids": types, "labels": torch.tensor([2, 0])}
    assert_parity(ours, theirs, input_ids=ids, output_hidden_states=True, **inputs)
    embeddings = torch.randn(2, 3, columns, ours.config.hidden_size, generator=torch.Generator().manual_seed(3))
    positions = torch.arange(columns).flip(0).expand(2, 3, columns)
    assert_parity(ours, theirs, inputs_embeds=embeddings, position_ids=positions, **inputs)


def with_separators(ids, places):
    for row, place in enumerate(places):
        ids[row, place] = 66
    ids[:, -1] = 66
    return ids


@both_attention_types
@lengths_around_borders
@pytest.mark.parametrize("add_pooling_layer", [False, True])
def test_question_answering(attention_type, columns, add_pooling_layer):
    constructor = {"add_pooling_layer": add_pooling_layer}
    ours, theirs = make_pair("BigBirdForQuestionAnswering", attention_type=attention_type, constructor=constructor)
    ids = with_separators(make_ids(3, columns), [1, 2, columns // 2])
    positions = {
        "start_positions": torch.tensor([columns - 2, 0, columns + 3]),
        "end_positions": torch.tensor([columns - 1, 0, 1000]),
    }
    # transformers lets padding compete for the answer, so losses are compared without any.
    assert_parity(ours, theirs, input_ids=ids, output_hidden_states=True, **positions)
    mask = make_mask([columns, columns - 1, columns // 2 + 1], columns)
    assert_same_outputs(ours, theirs, input_ids=ids, attention_mask=mask)


@both_attention_types
def test_how_the_question_is_found(attention_type):
    ours, theirs = make_pair("BigBirdForQuestionAnswering", attention_type=attention_type)
    for columns in (20, 42):
        ids = with_separators(make_ids(3, columns), [5, 9, 1])
        types = torch.ones(3, columns, dtype=torch.long)
        given = torch.tensor([[4], [12], [1]])
        embeddings = torch.randn(3, columns, ours.config.hidden_size, generator=torch.Generator().manual_seed(4))
        for inputs in (
            {"input_ids": ids, "question_lengths": given},
            {"input_ids": ids, "token_type_ids": types},
            {"input_ids": ids, "token_type_ids": types, "question_lengths": given},
            {"input_ids": make_ids(3, columns)},
            {"inputs_embeds": embeddings},
            {"inputs_embeds": embeddings, "question_lengths": given},
        ):
            positions = {
                "start_positions": torch.tensor([15, 14, 13]),
                "end_positions": torch.tensor([[16], [15], [14]]),
            }
            assert_parity(ours, theirs, **inputs, **positions)


def test_question_answering_with_padding_trains_on_pieces_alone():
    ours, theirs = make_pair("BigBirdForQuestionAnswering")
    ids = with_separators(make_ids(2, 40), [6, 8])
    mask = make_mask([40, 30], 40)
    start, end = torch.tensor([10, 12]), torch.tensor([11, 35])
    output = ours(ids, attention_mask=mask, start_positions=start, end_positions=end)
    expected = run_theirs(theirs, input_ids=ids, attention_mask=mask)
    sides = [logits - 1e6 * (1 - mask) for logits in (expected.start_logits, expected.end_logits)]
    losses = [-side.log_softmax(-1)[row, place] for side, row, place in [(sides[0], 0, 10), (sides[0], 1, 12)]]
    # The end of the second answer lies in padding.
    expected_loss = (sum(losses) / 2 - sides[1].log_softmax(-1)[0, 11]) / 2
    torch.testing.assert_close(output.loss, expected_loss, atol=2e-5, rtol=2e-5)


def test_selu_in_a_head_is_pytorchs(monkeypatch):
    monkeypatch.setitem(transformers.activations.ACT2FN, "selu", torch.nn.SELU)
    for name in HEADS:
        ours, theirs = make_pair(name, hidden_act="selu")
        assert_parity(ours, theirs, **make_inputs(name, 33, ours.config))


def test_dropout_of_the_classification_heads():
    for name in ("BigBirdForSequenceClassification", "BigBirdForTokenClassification"):
        for changes in ({"classifier_dropout": 0.4}, {"hidden_dropout_prob": 0.3}):
            ours, theirs = make_pair(name, **changes)
            head, their_head = ours, theirs
            if name == "BigBirdForSequenceClassification":
                head, their_head = ours.classifier, theirs.classifier
            assert head.dropout.p == their_head.dropout.p
