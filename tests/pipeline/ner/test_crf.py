"""The lattice of BILUO paths against sums and maxima over all sequences, one by one."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_bigbird.pipeline.ner.crf import (
    BEGIN,
    IN,
    LAST,
    UNIT,
    Transitions,
    best_paths,
    path_loss,
    path_sums,
    tag_index,
)
from spacy_bigbird.pipeline.ner.crf.lattice import Lattice
from spacy_bigbird.pipeline.ner.crf.passes import log_passes, scaled_passes


def split(tag: int) -> tuple[str, int]:
    return ("O", -1) if tag == 0 else ("BILU"[(tag - 1) % 4], (tag - 1) // 4)


def path_score(path, emissions, transitions) -> float:
    """The score of a sequence, or minus infinity when it is not BILUO. Written from the definition, tag by tag."""
    score = 0.0
    before, label_before = "O", -1
    for row, tag in zip(emissions, path, strict=True):
        action, label = split(tag)
        if before in "BI":
            if action not in "IL" or label != label_before:
                return -np.inf
            score += transitions.within[label, "BI".index(before), "IL".index(action)]
        else:
            if action in "IL":
                return -np.inf
            score += transitions.follow[1 + label_before, 1 + label]
        score += row[tag]
        before, label_before = action, label
    return -np.inf if before in "BI" else score


def entities(path) -> set[tuple[int, int, int]]:
    found, start = set(), 0
    for i, tag in enumerate(path):
        action, label = split(tag)
        if action in "BU":
            start = i
        if action in "LU":
            found.add((start, i + 1, label))
    return found


def random_problem(tokens: int, labels: int, seed: int, spread: float = 2.0):
    rng = np.random.default_rng(seed)
    transitions = Transitions(rng.normal(size=(1 + labels, 1 + labels)), rng.normal(size=(labels, 2, 2)))
    emissions = spread * rng.normal(size=(tokens, 1 + 4 * labels))
    allowed = rng.random((tokens, 1 + 4 * labels)) < 0.8
    allowed[:, 0] = True
    return emissions, allowed, transitions


def every_path(emissions, allowed, transitions):
    """RETURNS: the allowed sequences with a score, and their scores."""
    options = [np.flatnonzero(mask).tolist() for mask in allowed]
    scored = [(path, path_score(path, emissions, transitions)) for path in itertools.product(*options)]
    return zip(*[(path, score) for path, score in scored if np.isfinite(score)], strict=True)


@pytest.mark.parametrize(
    ("tokens", "labels", "seed"), [(1, 1, 0), (2, 2, 1), (4, 2, 2), (5, 1, 3), (7, 1, 4), (5, 2, 5)]
)
def test_everything_equals_the_enumeration_of_all_sequences(tokens, labels, seed):
    emissions, allowed, transitions = random_problem(tokens, labels, seed)
    paths, scores = every_path(emissions, allowed, transitions)
    scores = np.asarray(scores)
    probabilities = np.exp(scores - np.logaddexp.reduce(scores))

    assert best_paths([emissions], [allowed], transitions) == [list(paths[int(scores.argmax())])]
    [(sums, number)] = path_sums([emissions], [allowed], transitions)
    assert sums.log_partition[number] == pytest.approx(np.logaddexp.reduce(scores))
    expected = np.zeros_like(emissions)
    follow, within = np.zeros_like(transitions.follow), np.zeros_like(transitions.within)
    for path, probability in zip(paths, probabilities, strict=True):
        expected[np.arange(tokens), path] += probability
        before, label_before = "O", -1
        for action, label in map(split, path):
            if before in "BI":
                within[label, "BI".index(before), "IL".index(action)] += probability
            else:
                follow[1 + label_before, 1 + label] += probability
            before, label_before = action, label
    np.testing.assert_allclose(sums.marginals()[number], expected, atol=1e-12)
    counts = sums.transition_counts(np.ones(1))
    np.testing.assert_allclose(counts.follow, follow, atol=1e-12)
    np.testing.assert_allclose(counts.within, within, atol=1e-12)

    candidates = {}
    for start, end, label in itertools.product(range(tokens), range(1, tokens + 1), range(labels)):
        if start < end:
            exact = sum(
                p for path, p in zip(paths, probabilities, strict=True) if (start, end, label) in entities(path)
            )
            assert sums.entity_probability(number, start, end, label) == pytest.approx(exact, abs=1e-12)
            candidates[start, end, label] = exact
    for threshold in (0.01, 0.1, 0.5):
        found = sums.probable_entities(number, threshold)
        assert {entity[:3] for entity in found} == {e for e, p in candidates.items() if p >= threshold}
        assert all(probability == pytest.approx(candidates[s, e, x]) for s, e, x, probability in found)


def test_loss_and_gradients_with_partial_annotation():
    emissions, _, transitions = random_problem(5, 2, 11)
    allowed = np.ones_like(emissions, dtype=bool)
    gold = allowed.copy()
    gold[1] = False
    gold[1, tag_index(BEGIN, 1)] = True
    gold[4] = False
    gold[4, 0] = True

    def loss(rows, follow, within):
        return path_loss([rows], [gold], [allowed], Transitions(follow, within)).loss

    result = path_loss([emissions], [gold], [allowed], transitions)
    assert result.impossible == []
    paths, scores = every_path(emissions, allowed, transitions)
    agreeing = [s for p, s in zip(paths, scores, strict=True) if p[1] == tag_index(BEGIN, 1) and p[4] == 0]
    assert result.loss == pytest.approx(np.logaddexp.reduce(scores) - np.logaddexp.reduce(agreeing))

    arguments = [emissions, transitions.follow, transitions.within]
    gradients = [result.d_emissions[0], result.d_transitions.follow, result.d_transitions.within]
    for number, gradient in enumerate(gradients):
        for index in np.ndindex(gradient.shape):
            values = []
            for step in (1e-5, -1e-5):
                moved = [a.copy() for a in arguments]
                moved[number][index] += step
                values.append(loss(*moved))
            assert gradient[index] == pytest.approx((values[0] - values[1]) / 2e-5, abs=1e-6)


def test_missing_annotation_has_no_loss_and_no_gradient():
    emissions, _, transitions = random_problem(6, 2, 1)
    everything = np.ones_like(emissions, dtype=bool)
    result = path_loss([emissions], [everything], [everything], transitions)
    assert result.loss == 0.0
    assert not result.d_emissions[0].any()
    assert not result.d_transitions.follow.any() and not result.d_transitions.within.any()


def test_impossible_annotation_counts_nothing_and_is_named():
    emissions, _, transitions = random_problem(3, 1, 1)
    allowed = np.ones_like(emissions, dtype=bool)
    broken = allowed.copy()
    broken[:] = False
    broken[:, tag_index(LAST, 0)] = True
    good = allowed.copy()
    good[:, 1:] = False
    both = path_loss([emissions, emissions], [broken, good], [allowed, allowed], transitions)
    alone = path_loss([emissions], [good], [allowed], transitions)
    assert both.impossible == [0]
    assert both.loss == pytest.approx(alone.loss)
    assert not both.d_emissions[0].any()
    np.testing.assert_allclose(both.d_emissions[1], alone.d_emissions[0])
    np.testing.assert_allclose(both.d_transitions.follow, alone.d_transitions.follow)


def test_scores_that_are_no_numbers_are_no_fault_of_the_annotation():
    emissions, _, transitions = random_problem(4, 1, 1)
    allowed = np.ones_like(emissions, dtype=bool)
    gold = allowed.copy()
    gold[0, 1:] = False
    emissions[2, 0] = np.nan
    result = path_loss([emissions], [gold], [allowed], transitions)
    assert np.isnan(result.loss) and result.impossible == []


@pytest.mark.parametrize("rows_per_batch", [32_768, 50])
def test_documents_of_different_length_do_not_disturb_each_other(rows_per_batch, monkeypatch):
    monkeypatch.setattr("spacy_bigbird.pipeline.ner.crf.lattice.ROWS_PER_BATCH", rows_per_batch)
    problems = [random_problem(tokens, 2, tokens) for tokens in (5, 0, 40, 1, 12, *range(2, 25))]
    transitions = problems[0][2]
    emissions, allowed = [p[0] for p in problems], [p[1] for p in problems]
    paths = best_paths(emissions, allowed, transitions)
    sums = path_sums(emissions, allowed, transitions)
    assert paths[1] == [] and sums[1] is None
    for d, rows in enumerate(emissions):
        if len(rows):
            assert best_paths([rows], [allowed[d]], transitions) == [paths[d]]
            [(alone, _)] = path_sums([rows], [allowed[d]], transitions)
            together, number = sums[d]
            np.testing.assert_allclose(together.marginals()[number], alone.marginals()[0], atol=1e-12)


def test_scores_far_apart_stay_exact():
    """The only valid way on is 2,000 below the best tag: nothing may underflow on the way."""
    emissions = np.full((3, 5), -2000.0)
    emissions[:, 0] = [-1000.0, -2000.0, 0.0]
    emissions[0, tag_index(BEGIN, 0)] = 1000.0
    emissions[2, tag_index(IN, 0)] = 3000.0
    allowed = np.ones_like(emissions, dtype=bool)
    paths, scores = every_path(emissions, allowed, Transitions.zeros(1))
    [(sums, _)] = path_sums([emissions], [allowed], Transitions.zeros(1))
    assert sums.log_partition[0] == pytest.approx(np.logaddexp.reduce(scores))
    assert best_paths([emissions], [allowed], Transitions.zeros(1)) == [list(paths[int(np.argmax(scores))])]
    assert all(np.isfinite(m).all() for m in sums.marginals())


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_numbers_with_a_scale_give_what_logarithms_give(data):
    """Also where they cannot, as long as they say so."""
    lengths = sorted(data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=4)), reverse=True)
    labels, spread = data.draw(st.integers(1, 3)), data.draw(st.sampled_from([1.0, 10.0, 100.0, 1000.0]))
    problems = [random_problem(n, labels, data.draw(st.integers(0, 10_000)), spread) for n in lengths]
    lattice = Lattice([p[0] for p in problems], [p[1] for p in problems], problems[0][2])
    scaled, exact = scaled_passes(lattice), log_passes(lattice)
    assert scaled is not None or spread >= 100.0
    if scaled is not None:
        sums, exact_sums = (lattice.at_ends(passes.forward.closed) for passes in (scaled, exact))
        totals = np.logaddexp.reduce(exact_sums, axis=1)
        np.testing.assert_allclose(np.logaddexp.reduce(sums, axis=1), totals, atol=1e-6)
        # Probabilities, each counted from the sum over all paths: what is hundreds below it counts as nothing.
        for place in range(3):
            ways = [(p.forward[place] + [p.closed_rest, p.open_rest, p.start_rest][place]) for p in (scaled, exact)]
            share = [np.exp(w - (totals[:, None] if place != 1 else totals[None, :, None])) for w in ways]
            np.testing.assert_allclose(*share, atol=1e-6)


def test_numbers_that_lost_the_only_way_leave_it_to_logarithms():
    emissions = np.zeros((2, 5))
    emissions[0, tag_index(BEGIN, 0)] = 2000.0
    last = np.ones_like(emissions, dtype=bool)
    last[1, [tag_index(IN, 0), tag_index(LAST, 0)]] = False
    lattice = Lattice([emissions], [last], Transitions.zeros(1))
    assert scaled_passes(lattice) is None
    [(sums, _)] = path_sums([emissions], [last], Transitions.zeros(1))
    assert sums.log_partition[0] == pytest.approx(np.log(4))


def test_long_documents_stay_exact():
    """A forced path of 3,000 tokens has probability one, and the marginals of a free one sum to one at every token."""
    emissions, _, transitions = random_problem(3000, 3, 5, spread=10.0)
    allowed = np.ones_like(emissions, dtype=bool)
    [path] = best_paths([emissions], [allowed], transitions)
    [(sums, _)] = path_sums([emissions], [allowed], transitions)
    np.testing.assert_allclose(sums.marginals()[0].sum(axis=1), 1.0, atol=1e-9)
    forced = np.zeros_like(allowed)
    forced[np.arange(3000), path] = True
    [(sums, _)] = path_sums([emissions], [forced], transitions)
    assert sums.log_partition[0] == pytest.approx(path_score(path, emissions, transitions))
    assert sums.entity_probability(0, *sorted(entities(path))[0]) == pytest.approx(1.0)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_the_best_path_is_always_valid(data):
    tokens, labels = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 3))
    emissions, allowed, transitions = random_problem(tokens, labels, data.draw(st.integers(0, 10_000)), spread=5.0)
    emissions[:, 0] -= data.draw(st.sampled_from([0.0, 50.0]))
    [path] = best_paths([emissions], [allowed], transitions)
    assert np.isfinite(path_score(path, emissions, transitions))
    assert all(mask[tag] for tag, mask in zip(path, allowed, strict=True))
    assert max(path) < 1 + 4 * labels and UNIT == 3
