"""What the tests against transformers share: pairs of models with the same weights, and one way to compare them."""

import dataclasses

import torch
import transformers

import spacy_bigbird.model
from spacy_bigbird.checkpoint.key_map import HUGGINGFACE_PREFIX, LM_DECODER, to_huggingface
from spacy_bigbird.model import BigBirdConfig

TOLERANCE = 2e-5
BLOCK = 4
DENSE_LIMIT = 28  # (5 + 2 * num_random_blocks) * block_size
MAXIMUM = 64
ATTENTION_TYPES = ["original_full", "block_sparse"]
SIZES = {
    "vocab_size": 80,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 36,
    "max_position_embeddings": MAXIMUM,
    "block_size": BLOCK,
    "num_random_blocks": 1,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}


def make_pair(name, pattern="huggingface", constructor=None, **changes):
    """Our model and transformers' with the same random weights, biases and normalisations included."""
    fields = {**SIZES, **changes}
    theirs = getattr(transformers, name)(transformers.BigBirdConfig(**fields), **(constructor or {})).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter_name, parameter in theirs.named_parameters():
            drawn = torch.randn(parameter.shape, generator=generator)
            is_scale = parameter_name.endswith("LayerNorm.weight")
            parameter.copy_(1 + 0.2 * drawn if is_scale else (0.25 if parameter.dim() == 2 else 0.1) * drawn)
    config = BigBirdConfig.from_dict({**fields, "random_pattern": pattern})
    ours = getattr(spacy_bigbird.model, name)(config, **(constructor or {})).eval()
    report = ours.load_huggingface_tensors(theirs.state_dict(), "transformers")
    assert not report.missing and not report.unexpected and not report.mismatched
    return ours, theirs


def make_ids(batch, columns, seed=1, vocab_size=SIZES["vocab_size"]):
    """Random ids without those of padding, ends and [SEP]."""
    ids = torch.randint(3, vocab_size, (batch, columns), generator=torch.Generator().manual_seed(seed))
    return ids.masked_fill(ids == 66, 67)


def make_mask(lengths, columns, left=False):
    """1 for pieces, 0 for padding on one side."""
    mask = (torch.arange(columns) < torch.tensor(lengths)[:, None]).long()
    return mask.flip(1) if left else mask


def run_theirs(theirs, **inputs):
    """Call transformers' model with the attention that its configuration names: one short batch would have switched it
    to dense attention for good."""
    getattr(theirs, "bert", theirs).set_attention_type(theirs.config.attention_type)
    return theirs(**inputs)


def assert_same_outputs(ours, theirs, ignore=(), tolerance=TOLERANCE, **inputs):
    """Both models compute the same, wherever there are pieces; ours gives zeros elsewhere.

    RETURNS: both outputs.
    """
    our_output, their_output = ours(**inputs), run_theirs(theirs, **inputs)
    mask = inputs.get("attention_mask")
    for field in dataclasses.fields(our_output):
        if field.name in ignore:
            continue
        our_value, their_value = getattr(our_output, field.name), getattr(their_output, field.name, None)
        assert (our_value is None) == (their_value is None), field.name
        if field.name == "past_key_values" and our_value is not None:
            our_value, their_value = sum(our_value.to_tuple(), ()), sum(their_value, ())
        if isinstance(our_value, tuple):
            assert len(our_value) == len(their_value), field.name
        elif our_value is not None:
            our_value, their_value = (our_value,), (their_value,)
        for one, other in zip(our_value or (), their_value or (), strict=True):
            assert_same_values(field.name, one, other, mask, tolerance)
    return our_output, their_output


def assert_same_values(name, ours, theirs, mask=None, tolerance=TOLERANCE):
    """Equal where there are pieces; zero, or out of the running, elsewhere."""
    if name == "hidden_states":
        theirs = theirs[:, : ours.shape[1]]
    assert ours.shape == theirs.shape, name
    if mask is not None:
        mask = mask.flatten(0, -2).bool()
        if name in ("start_logits", "end_logits"):
            assert (ours[~mask] == -1e6).all()
            ours, theirs = ours[mask], theirs[mask]
        elif name.endswith("attentions"):
            if name == "attentions":
                theirs = theirs.masked_fill(~mask[:, None, None], 0.0)
            theirs = theirs * mask[:, None, :, None]
        elif name == "past_key_values":
            ours, theirs = (side.transpose(1, 2)[mask] for side in (ours, theirs))
        elif ours.dim() == 3:
            assert (ours[~mask] == 0).all(), name
            ours, theirs = ours[mask], theirs[mask]
    torch.testing.assert_close(ours, theirs, atol=tolerance, rtol=tolerance, msg=lambda text: f"{name}: {text}")


def assert_same_gradients(ours, theirs, our_loss, their_loss, tolerance=TOLERANCE):
    """Every parameter gets the same gradient from both losses."""
    for model, loss in ((ours, our_loss), (theirs, their_loss)):
        model.zero_grad()
        loss.backward()
    # A parameter that plays no part has no gradient here and sometimes zeros there.
    prefix = f"{ours.base_model_prefix}." if ours.base_model_prefix else ""
    gradients = {
        name.removeprefix(prefix): torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        for name, parameter in ours.named_parameters()
    }
    assert LM_DECODER not in gradients or not ours.config.tie_word_embeddings
    their_gradients = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    for name, gradient in to_huggingface(gradients, HUGGINGFACE_PREFIX if prefix else "").items():
        theirs_too = their_gradients.pop(name)
        theirs_too = torch.zeros_like(gradient) if theirs_too is None else theirs_too
        scale = max(1.0, float(theirs_too.abs().max()))
        torch.testing.assert_close(
            gradient, theirs_too, atol=tolerance * scale, rtol=0, msg=lambda text, name=name: f"{name}: {text}"
        )
    assert not their_gradients


def assert_parity(ours, theirs, ignore=(), tolerance=TOLERANCE, **inputs):
    """Same outputs, and same gradients of the loss, or of a weighted sum of the last states without one."""
    our_output, their_output = assert_same_outputs(ours, theirs, ignore, tolerance, **inputs)
    our_loss, their_loss = our_output.loss, getattr(their_output, "loss", None)
    if our_loss is None:
        our_states, their_states = our_output.last_hidden_state, their_output.last_hidden_state
        weights = torch.linspace(-1, 1, our_states.numel()).sin().view_as(our_states) / len(our_states)
        if inputs.get("attention_mask") is not None:
            weights = weights * inputs["attention_mask"][..., None]
        our_loss, their_loss = (our_states * weights).sum(), (their_states * weights).sum()
        if our_output.pooler_output is not None:
            our_loss, their_loss = (
                our_loss + our_output.pooler_output.sum(),
                their_loss + their_output.pooler_output.sum(),
            )
    assert_same_gradients(ours, theirs, our_loss, their_loss, tolerance)
