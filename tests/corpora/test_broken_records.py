"""Problems of a corpus: collected for whoever asks, each list for itself."""

from pathlib import Path

from spacy_bigbird.corpora.broken_records import Problems, collected


def test_nested_collections_both_see_what_is_found_inside():
    problems = Problems(Path("corpus"))
    with collected() as outer:
        with collected() as inner:
            problems.add("records", "are empty", "line 1", "x")
        problems.add("records", "are empty", "line 2", "y" * 100)
    problems.add("records", "are empty", "line 3", "z")
    assert [one["where"] for one in inner] == ["line 1"]
    assert [one["where"] for one in outer] == ["line 1", "line 2"]
    assert outer[1]["text"] == "y" * 60 + "..." and problems.counts["records are empty"] == 3
