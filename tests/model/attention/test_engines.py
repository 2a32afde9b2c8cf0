"""Every attention engine equals the reference: random lengths, patterns, numbers of random blocks and block sizes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_bigbird.model import BigBirdConfig, BigBirdForMaskedLM, BigBirdModel
from spacy_bigbird.model.attention.api import ENGINE_NAMES, attend, attend_and_show
from spacy_bigbird.model.attention.engines import ENGINES
from spacy_bigbird.model.attention.engines import torch as torch_engine
from spacy_bigbird.model.attention.engines.flex import block_counts
from spacy_bigbird.model.attention.engines.reference import key_counts
from spacy_bigbird.plan.attention import AttentionPlan
from spacy_bigbird.plan.packing import plan_packing

TOY = {"vocab_size": 50, "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 2, "intermediate_size": 8}


@st.composite
def plans(draw, longest=120):
    block_size = draw(st.integers(1, 12))
    config = BigBirdConfig(
        hidden_size=6,
        num_attention_heads=2,
        block_size=block_size,
        num_random_blocks=draw(st.integers(0, 4)),
        random_pattern=draw(st.sampled_from(["paper", "huggingface", "none"])),
        attention_type=draw(st.sampled_from(["block_sparse"] * 4 + ["original_full"])),
        full_attention_up_to=draw(st.integers(0, 60)),
    )
    lengths = draw(st.lists(st.integers(1, longest), min_size=1, max_size=4))
    padded = max(lengths) + draw(st.integers(0, 30))
    return AttentionPlan(config, draw(st.integers(0, 3)), plan_packing(lengths, config, padded))


def projections_of(plan, seed=0):
    generator = torch.Generator().manual_seed(seed)
    rows = sum(plan.packing.row_counts)
    return torch.randn(rows, 3 * plan.config.hidden_size, generator=generator, dtype=torch.float64)


def results(plan, engine, weights=None):
    """The outputs of the pieces and, with weights, the gradient of the projections."""
    projections = projections_of(plan).requires_grad_(weights is not None)
    output = attend(projections, plan, engine)
    assert output.isfinite().all()  # padding too: nan would spread in the backward pass
    pieces = output[torch.from_numpy(plan.packing.piece_rows)]
    if weights is None:
        return pieces
    (gradient,) = torch.autograd.grad((pieces * weights).sum(), projections)
    return pieces, gradient


@pytest.mark.parametrize("engine", ["cpu", "torch"])
@given(plan=plans(), chunk=st.sampled_from([1, 1000, 2**26]))
@settings(max_examples=25)
def test_engines_equal_the_reference_in_both_passes(engine, plan, chunk):
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(sum(plan.packing.lengths), 6, generator=generator, dtype=torch.float64)
    before, torch_engine.GATHERED_AT_ONCE = torch_engine.GATHERED_AT_ONCE, chunk
    try:
        torch.testing.assert_close(
            results(plan, engine, weights), results(plan, "reference", weights), rtol=0, atol=1e-10
        )
    finally:
        torch_engine.GATHERED_AT_ONCE = before


@pytest.mark.filterwarnings("ignore:flex_attention called without")
@given(plan=plans(longest=60))
@settings(max_examples=8)
def test_flex_equals_the_reference(plan):
    torch.testing.assert_close(results(plan, "flex"), results(plan, "reference"), rtol=0, atol=1e-10)


@given(plan=plans())
@settings(max_examples=30)
def test_blocks_of_flex_are_those_of_the_reference(plan):
    """Its kernels skip the blocks that are not listed, so the list must be exact: the CPU only reads the mask."""
    rows, back, counts, pieces = block_counts(plan)
    size = plan.config.block_size
    by_row = counts.repeat(size, axis=1).repeat(size, axis=2) * (np.arange(len(rows)) % size < pieces.repeat(size))
    np.testing.assert_array_equal(rows[back], np.arange(sum(plan.packing.row_counts)))
    for sequence in plan.sequences():
        own = back[sequence.start : sequence.start + sequence.length]
        expected = key_counts(plan.config, plan.layer, sequence.length, sequence.pattern_blocks).numpy()
        np.testing.assert_array_equal(by_row[:, own[:, None], own], expected)
        others = np.setdiff1d(np.arange(len(rows)), own)
        assert not by_row[:, own[:, None], others].any()


@pytest.mark.parametrize("engine", ["cpu", "torch"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_near_the_reference(engine, dtype):
    """The error budget is the reference's own in the same dtype, in both passes."""
    config = BigBirdConfig(hidden_size=32, num_attention_heads=2, block_size=16, full_attention_up_to=100)
    plan = AttentionPlan(config, 0, plan_packing([600, 50, 333], config))
    exact = projections_of(plan).float()

    def both(projections, name):
        projections = projections.detach().requires_grad_()
        output = attend(projections, plan, name)[torch.from_numpy(plan.packing.piece_rows)]
        return output.float(), torch.autograd.grad(output.float().square().sum(), projections)[0].float()

    right = both(exact, "reference")
    for ours, theirs, wanted in zip(
        both(exact.to(dtype), engine), both(exact.to(dtype), "reference"), right, strict=True
    ):
        assert (ours - wanted).norm() <= 1.5 * (theirs - wanted).norm()


@pytest.mark.parametrize("engine", ["cpu", "torch", "reference"])
def test_dropout_is_for_dense_sequences_only(engine):
    config = BigBirdConfig(hidden_size=6, num_attention_heads=2, block_size=4, full_attention_up_to=30)
    plan = AttentionPlan(config, 0, plan_packing([30, 60], config))
    projections = projections_of(plan)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        dropped, kept = attend(projections, plan, engine, 0.5), attend(projections, plan, engine)
    torch.testing.assert_close(dropped[30:], kept[30:])
    assert not torch.allclose(dropped[:30], kept[:30])


def test_no_rows_at_all():
    config = BigBirdConfig(hidden_size=6, num_attention_heads=2)
    plan = AttentionPlan(config, 0, plan_packing([], config))
    assert all(attend(torch.zeros(0, 18), plan, name).shape == (0, 6) for name in ENGINE_NAMES)


# What an engine cannot do is an error


def dense_plan(**fields):
    config = BigBirdConfig(hidden_size=6, num_attention_heads=2, **fields)
    return AttentionPlan(config, 0, plan_packing([20], config))


def test_an_unknown_engine_names_those_there_are():
    with pytest.raises(ValueError, match=r"BB700.*'flash'.*'auto' or 'reference' or 'cpu' or 'torch' or 'flex'"):
        attend(torch.zeros(20, 18), dense_plan(), "flash")


@pytest.mark.parametrize(
    "engine, device, needs_gradient, dropout, reason",
    [
        ("cpu", "meta", False, 0.0, "on the CPU only.*meta"),
        ("flex", "cpu", True, 0.0, "no backward pass.*on the CPU"),
        ("flex", "cpu", False, 0.1, "no dropout of attention probabilities"),
        ("flex", "meta", False, 0.0, "a multiple of 16, not 24"),
    ],
)
def test_what_an_engine_cannot_do_is_an_error(engine, device, needs_gradient, dropout, reason):
    projections = torch.zeros(20, 18, device=device, requires_grad=needs_gradient)
    with pytest.raises(ValueError, match=rf"BB701.*'{engine}' cannot do this: .*{reason}"):
        attend(projections, dense_plan(block_size=24), engine, dropout)


@pytest.mark.parametrize("engine", sorted(set(ENGINES) - {"reference"}))
def test_only_the_reference_returns_probabilities(engine):
    with pytest.raises(ValueError, match=rf"BB701.*'{engine}'.*no attention probabilities"):
        attend_and_show(torch.zeros(20, 18), dense_plan(), engine)
    _, (probabilities,) = attend_and_show(torch.zeros(20, 18), dense_plan())
    torch.testing.assert_close(probabilities.sum(-1), torch.ones(2, 20))


def test_one_setting_changes_the_engine_of_every_layer():
    model = BigBirdForMaskedLM(BigBirdConfig(**TOY, block_size=4, full_attention_up_to=8)).eval()
    assert model.attention_engine == "auto"
    ids = torch.arange(3, 47)[None]
    expected = model(ids, head_mask=torch.tensor([0.5, 2.0])).logits
    for name in ("cpu", "torch", "reference"):
        model.attention_engine = name
        assert {layer.attention.engine for layer in model.bigbird.encoder.layers} == {name}
        torch.testing.assert_close(model(ids, head_mask=torch.tensor([0.5, 2.0])).logits, expected)
    model.attention_engine = "torch"
    with pytest.raises(ValueError, match="BB701"):
        model(ids, output_attentions=True)
    with pytest.raises(ValueError, match="BB700"):
        model.attention_engine = "fastest"


def test_a_decoder_has_no_engine():
    model = BigBirdModel(BigBirdConfig(**TOY, is_decoder=True))
    model.attention_engine = "auto"
    with pytest.raises(ValueError, match=r"BB702.*'cpu'.*decoder"):
        model.attention_engine = "cpu"
