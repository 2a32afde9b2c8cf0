"""Fill mask as a component: every mask is found in its window, predictions are the model's, it learns and saves."""

import pickle

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import DocBin
from spacy.training import Example

from tests.toy_questions import TEXT, TINY, import_checkpoint


def make_nlp(vocab_file, seed=0, top_k=5, **model):
    torch.manual_seed(seed)
    nlp = spacy.blank("en")
    block = {"@architectures": "spacy-bigbird.FillMask.v1", "vocab_file": str(vocab_file)}
    model = {**block, "transformer_config": TINY, **model}
    nlp.add_pipe("bigbird_fill_mask", config={"top_k": top_k, "model": model})
    nlp.initialize()
    return nlp


@pytest.fixture(scope="module")
def nlp(vocab_file):
    return make_nlp(vocab_file)


def masked(nlp, text, masks):
    doc = nlp.make_doc(text)
    doc._.masks = masks
    return doc


def words(text, *wanted):
    return [(text.index(word), text.index(word) + len(word)) for word in wanted]


def test_a_mask_takes_the_place_of_its_pieces(nlp):
    component = nlp.get_pipe("bigbird_fill_mask")
    tokenizer = component.shim.tokenizer
    (pieces,) = tokenizer.text_pieces([TEXT])
    masks = words(TEXT, "parties", "court", " ")
    ids, stands_for = component._masked(pieces, masks)
    assert [value for value in stands_for if value is not None] == [2, 1, 0]
    assert len(ids) == len(stands_for)
    assert [int(i) for i, v in zip(ids, stands_for, strict=True) if v is not None] == [tokenizer.mask_token_id] * 3
    kept = [int(i) for i, v in zip(ids, stands_for, strict=True) if v is None]
    hidden = [(a, b) for a, b in masks[:2]]
    assert kept == [
        int(i)
        for i, (s, e) in zip(pieces.ids, pieces.offsets, strict=True)
        if not any(s < b and e > a for a, b in hidden)
    ]
    ids, labels = component._masked(pieces, masks[:1], every_piece=True)
    assert len(ids) == len(pieces)
    assert tokenizer.decode([label for label in labels if label is not None]).strip() == "parties"


@pytest.mark.parametrize("max_batch_pieces", [1, 10**6])
def test_every_mask_is_filled_by_the_window_with_most_context(vocab_file, max_batch_pieces):
    nlp = make_nlp(vocab_file, max_batch_pieces=max_batch_pieces, top_k=3)
    component = nlp.get_pipe("bigbird_fill_mask")
    shim = component.shim
    doc = nlp.make_doc(TEXT)
    masks = [(token.idx, token.idx + len(token)) for token in doc][::2]
    docs = list(nlp.pipe([masked(nlp, TEXT, masks), nlp.make_doc(TEXT), masked(nlp, "the river", [(4, 9)])]))
    assert docs[1]._.mask_predictions == []
    assert len(docs[0]._.mask_predictions) == len(masks)
    (pieces,) = shim.tokenizer.text_pieces([TEXT])
    ids, stands_for = component._masked(pieces, masks)
    capacity = TINY["max_position_embeddings"] - 2
    overlap = capacity // 8
    starts = [*range(0, len(ids) - capacity, capacity - overlap), len(ids) - capacity]
    assert len(starts) > 2
    for place, mask in enumerate(stands_for):
        if mask is not None:
            start = max(starts, key=lambda s: min(place - s, s + capacity - 1 - place))
            assert start <= place < start + capacity
            row = [shim.tokenizer.cls_token_id, *ids[start : start + capacity], shim.tokenizer.sep_token_id]
            with torch.no_grad():
                logits = shim.module(torch.as_tensor([[int(i) for i in row]])).logits[0, place - start + 1]
            probabilities = torch.softmax(logits.double(), -1)
            best = docs[0]._.mask_predictions[mask]
            assert [score for _, _, score in best] == pytest.approx(probabilities.topk(3).values.tolist(), abs=1e-6)
            assert best[0][0] == shim.tokenizer.decode([best[0][1]])
    alone = nlp(masked(nlp, "the river", [(4, 9)]))._.mask_predictions
    np.testing.assert_allclose([p[2] for p in alone[0]], [p[2] for p in docs[2]._.mask_predictions[0]], atol=1e-6)


def test_the_loss_is_that_of_masked_language_modelling(vocab_file):
    gradients = []
    text = "The court of the city held that both parties agree."
    masks = words(text, "city", "parties")
    for max_batch_pieces in (1, 10**6):
        nlp = make_nlp(vocab_file, max_batch_pieces=max_batch_pieces)
        component = nlp.get_pipe("bigbird_fill_mask")
        loss = component.update([Example(nlp.make_doc(text), masked(nlp, text, masks))] * 2)["bigbird_fill_mask"]
        module = component.shim.module
        gradients.append([loss, *(p.grad.abs().sum().item() for p in module.parameters() if p.grad is not None)])
    assert gradients[0] == pytest.approx(gradients[1], rel=1e-4, abs=1e-6)
    tokenizer = component.shim.tokenizer
    (pieces,) = tokenizer.text_pieces([text])
    ids, labels = component._masked(pieces, masks, every_piece=True)
    row = torch.as_tensor([[tokenizer.cls_token_id, *(int(i) for i in ids), tokenizer.sep_token_id]])
    wanted = torch.as_tensor([[-100, *(-100 if label is None else label for label in labels), -100]])
    module.zero_grad()
    expected = module.train()(row, labels=wanted).loss
    assert gradients[1][0] == pytest.approx(expected.item(), rel=1e-5)
    expected.backward()
    assert gradients[1][1:] == pytest.approx(
        [p.grad.abs().sum().item() for p in module.parameters() if p.grad is not None], rel=1e-4, abs=1e-6
    )


def test_overfits_and_comes_back(vocab_file, tmp_path):
    nlp = make_nlp(vocab_file, seed=1)
    masks = words(TEXT, "court", "river")
    examples = [Example(masked(nlp, TEXT, masks), masked(nlp, TEXT, masks))]
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.01
    losses = [nlp.update(examples, sgd=optimizer)["bigbird_fill_mask"] for _ in range(40)]
    assert losses[-1] < 0.1 < losses[0]
    assert nlp.evaluate(examples)["mask_accuracy"] == 1.0
    expected = nlp(masked(nlp, TEXT, masks))._.mask_predictions
    assert [best[0][0] for best in expected] == ["court", "river"]
    nlp.to_disk(tmp_path)
    from_bytes = make_nlp(vocab_file).from_bytes(nlp.to_bytes())
    for again in (spacy.load(tmp_path), from_bytes, pickle.loads(pickle.dumps(nlp))):
        found = again(masked(again, TEXT, masks))._.mask_predictions
        assert [[p[:2] for p in best] for best in found] == [[p[:2] for p in best] for best in expected]
        head = again.get_pipe("bigbird_fill_mask").shim.module
        assert head.lm_head.decoder.weight is head.bigbird.embeddings.word_embeddings.weight
    (stored,) = DocBin(docs=[nlp(masked(nlp, TEXT, masks))], store_user_data=True).get_docs(nlp.vocab)
    assert stored._.mask_predictions[0][0][0] == "court"


def test_odd_masks_have_defined_predictions_and_wrong_ones_are_errors(nlp):
    for text in ("", " "):
        assert nlp(masked(nlp, text, []))._.mask_predictions == []
    assert [len(best) for best in nlp(masked(nlp, " ", [[0, 1]]))._.mask_predictions] == [5]
    assert nlp(masked(nlp, TEXT, None))._.mask_predictions == []
    for wrong in ([(0, 0)], [(5, 3)], [(0, 10**6)], [(-1, 2)], [(0, 5), (4, 6)], [3], [("a", "b")]):
        with pytest.raises(ValueError, match="BB245"):
            nlp(masked(nlp, TEXT, wrong))
    with pytest.raises(ValueError, match=r"BB200.*top_k = 0"):
        spacy.blank("en").add_pipe("bigbird_fill_mask", config={"top_k": 0})
    assert nlp.update([Example(nlp.make_doc(TEXT), nlp.make_doc(TEXT))]) == {"bigbird_fill_mask": 0.0}
    assert nlp.get_pipe("bigbird_fill_mask").score([]) == {"mask_accuracy": None}


def test_predictions_of_an_imported_checkpoint_equal_those_of_transformers(vocab_file, tmp_path):
    names = "MaskedLM", "spacy-bigbird.FillMask.v1", "bigbird_fill_mask"
    theirs, nlp = import_checkpoint(*names, vocab_file, tmp_path)
    component = nlp.get_pipe("bigbird_fill_mask")
    text = "The court of the city held."
    (best,) = nlp(masked(nlp, text, words(text, "city")))._.mask_predictions
    tokenizer = component.shim.tokenizer
    ids, stands_for = component._masked(*tokenizer.text_pieces([text]), words(text, "city"))
    with torch.no_grad():
        row = torch.as_tensor([[tokenizer.cls_token_id, *(int(i) for i in ids), tokenizer.sep_token_id]])
        expected = torch.softmax(theirs(row).logits[0, 1 + stands_for.index(0)], -1).topk(5)
    assert [p[1] for p in best] == expected.indices.tolist()
    assert [p[2] for p in best] == pytest.approx(expected.values.tolist(), rel=1e-4)
