"""Where answers may be."""

import torch

from spacy_bigbird.model import BigBirdForQuestionAnswering

from .toy_models import SMALL


def make_model(**changes):
    torch.manual_seed(0)
    return BigBirdForQuestionAnswering(SMALL.replace(**changes)).eval()


def make_ids():
    ids = torch.randint(67, 80, (3, 20), generator=torch.Generator().manual_seed(0))
    ids[0, [4, 9]] = 66
    ids[1, 7] = 66
    return ids


def lowered(logits):
    return (logits < -9e5).int().tolist()


def expected_pattern(lengths):
    return [[int(0 < place < length) for place in range(20)] for length in lengths]


def test_the_question_ends_with_the_first_sep_and_cls_stays_free():
    model, ids = make_model(), make_ids()
    # Without a [SEP], as transformers does: no question but [CLS].
    for side in ("start_logits", "end_logits"):
        assert lowered(getattr(model(ids), side)) == expected_pattern([5, 8, 1])
        given = torch.tensor([[3], [0], [20]])
        assert lowered(getattr(model(ids, question_lengths=given), side)) == expected_pattern([3, 0, 20])
        assert lowered(getattr(model(ids, question_lengths=given[:, 0]), side)) == expected_pattern([3, 0, 20])


def test_another_separator():
    model, ids = make_model(sep_token_id=70), make_ids().clamp(min=71)
    ids[:, 3] = 70
    assert lowered(model(ids).start_logits) == expected_pattern([4, 4, 4])


def test_lowering_is_by_a_million():
    model, ids = make_model(), make_ids()
    types = torch.zeros_like(ids)
    free = model(ids, token_type_ids=types, question_lengths=torch.zeros(3, 1))
    masked = model(ids, token_type_ids=types, question_lengths=torch.tensor([[6], [6], [6]]))
    torch.testing.assert_close(masked.start_logits[:, 1:6], free.start_logits[:, 1:6] - 1e6, atol=0.2, rtol=0)
    assert torch.equal(masked.start_logits[:, 6:], free.start_logits[:, 6:])
    assert torch.equal(masked.start_logits[:, 0], free.start_logits[:, 0])


def test_token_types_follow_the_question_unless_given():
    model, ids = make_model(), make_ids()
    types = (torch.arange(20) >= torch.tensor([[5], [8], [1]])).long()
    followed = model(ids).end_logits
    torch.testing.assert_close(model(ids, token_type_ids=types).end_logits, followed)
    assert not torch.allclose(model(ids, token_type_ids=torch.zeros_like(ids)).end_logits, followed)


def test_embeddings_say_nothing_about_the_question():
    model = make_model()
    embeddings = model.bigbird.embeddings.word_embeddings(make_ids())
    assert lowered(model(inputs_embeds=embeddings).start_logits) == expected_pattern([0, 0, 0])
    given = torch.tensor([[4], [2], [1]])
    assert lowered(model(inputs_embeds=embeddings, question_lengths=given).start_logits) == expected_pattern([4, 2, 1])


def test_a_model_with_one_token_type():
    assert make_model(type_vocab_size=1)(make_ids()).start_logits.isfinite().all()


def test_two_labels_and_a_pooler_on_request():
    assert make_model(num_labels=7).config.num_labels == 2
    names = {0: "first", 1: "last"}
    assert make_model(id2label=names).config.id2label == names
    assert make_model()(make_ids()).pooler_output is None
    assert BigBirdForQuestionAnswering(SMALL, add_pooling_layer=True)(make_ids()).pooler_output.shape == (3, 24)


def test_lowered_logits_of_half_floats_stay_finite():
    output = make_model().half()(make_ids())
    assert output.start_logits.isfinite().all()
    assert lowered(output.start_logits) == expected_pattern([5, 8, 1])


def test_one_position_alone_gives_no_loss():
    assert make_model()(make_ids(), start_positions=torch.tensor([9, 9, 9])).loss is None
