"""Plans: every document in one shard, in order, the same whatever the format; long documents begin first."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_bigbird.apply.inputs import Fields, reader_of
from spacy_bigbird.apply.plan import Entry, Plan, Shard, combined_digest, estimate_pieces, make_plan, schedule
from spacy_bigbird.thinc_layers.grouping import group_by_size

from .conftest import some_texts, write_jsonl

SIZES = st.lists(st.integers(2, 300), max_size=60)


def shards_of(sizes: Sequence[int], limit: int, per_file: int = 7) -> list[Shard]:
    entries = [Entry(n // per_file, 1 + n % per_file, 0, size, bytes([n])) for n, size in enumerate(sizes)]
    return [
        Shard.of(number, group)
        for number, group in enumerate(group_by_size(entries, lambda entry: entry.pieces, limit))
    ]


@given(SIZES, st.integers(2, 200))
def test_every_document_is_in_one_shard_in_order(sizes, limit):
    shards = shards_of(sizes, limit)
    places = [(part.file, part.record + n) for shard in shards for part in shard.parts for n in range(part.documents)]
    assert places == [(n // 7, 1 + n % 7) for n in range(len(sizes))]
    assert sum(shard.documents for shard in shards) == len(sizes)
    assert sum(shard.pieces for shard in shards) == sum(sizes)


@given(SIZES, st.integers(2, 200))
def test_only_a_single_document_exceeds_the_limit(sizes, limit):
    shards = shards_of(sizes, limit)
    for shard in shards:
        assert shard.pieces <= limit or shard.documents == 1
    # Two neighbours would not have fitted into one.
    for first, second in pairwise(shards):
        assert first.pieces + second.pieces > limit


@given(SIZES, st.integers(2, 200))
def test_work_is_shared_out_by_pieces(sizes, limit):
    shards = schedule(shards_of(sizes, limit), limit)
    long = [shard.pieces for shard in shards if shard.pieces > limit]
    # Long documents come first, the longest before the others, which keep their order.
    assert [shard.pieces for shard in shards[: len(long)]] == sorted(long, reverse=True)
    others = [shard.number for shard in shards[len(long) :]]
    assert others == sorted(others)
    # Workers that take the next shard when they are free are never apart by more than the largest unit of work.
    busy = [0, 0, 0]
    for shard in shards:
        busy[busy.index(min(busy))] += shard.pieces
    assert max(busy) - min(busy) <= max([limit, *sizes])


@given(SIZES)
def test_a_plan_survives_the_disk(sizes):
    shards = shards_of(sizes, 100)
    assert [Shard.from_json(shard.to_json()) for shard in shards] == shards


def test_the_plan_of_files(tmp_path):
    texts = some_texts(20)
    files = [str(write_jsonl(tmp_path / f"{n}.jsonl", texts[start : start + 10])) for n, start in enumerate((0, 10))]
    plan = make_plan(files, Fields(), shard_pieces=200)
    assert plan.documents == 20 and plan.sizes == [Path(file).stat().st_size for file in files]
    assert plan.largest == max(shard.largest for shard in plan.shards) > 200
    # Each part can be found again at its place, with the planned contents.
    for shard in plan.shards:
        digests = []
        for part in shard.parts:
            items = reader_of(files[part.file], Fields()).items(
                Path(files[part.file]), Fields(), part.record, part.offset
            )
            digests += [item.digest for item, _ in zip(items, range(part.documents), strict=False)]
        assert combined_digest(digests) == shard.digest
    (tmp_path / "plan.jsonl").write_bytes(plan.to_bytes())
    assert Plan.load(tmp_path / "plan.jsonl", plan.files, plan.sizes) == plan


def test_questions_count_as_many_times_the_text():
    assert estimate_pieces(400) == 102 and estimate_pieces(400, 3) == 306 and estimate_pieces(0) == 2


def test_all_files_that_cannot_be_read_are_named(tmp_path):
    (tmp_path / "a.jsonl.gz").write_bytes(b"not gzip")
    (tmp_path / "b.spacy").write_bytes(b"no documents")
    with pytest.raises(ValueError, match=r"(?s)BB401.*a\.jsonl\.gz: .*b\.spacy: "):
        make_plan([str(tmp_path / name) for name in ("a.jsonl.gz", "b.spacy")], Fields(), shard_pieces=10)
