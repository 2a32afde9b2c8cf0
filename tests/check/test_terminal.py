"""Numbers as lines of text."""

from spacy_bigbird.check.terminal import bar, counted, duration, histogram


def test_histograms_cover_all_lengths():
    lines = histogram([0, 63, 64, 700])
    assert len(lines) == 11 and lines[0].startswith("  0 -  63 ") and lines[0].endswith(" 2")
    assert lines[-1].startswith("640 - 703 ") and lines[-1].endswith(" 1")
    assert [line.split()[-1] for line in lines[1:3]] == ["1", "0"]
    assert len(histogram([100_000])) <= 12


def test_bars_and_durations():
    assert len(bar(1.0)) == 40 and bar(0.0) == "" and bar(1e-9) != "" and len(bar(0.5)) == 20
    assert [duration(1.2), duration(180), duration(9000)] == ["1.2 seconds", "3.0 minutes", "2.5 hours"]


def test_numbers_of_things():
    assert [counted(number, "documents") for number in (0, 1, 1234)] == ["0 documents", "1 document", "1,234 documents"]
    assert counted(1, "entities") == "1 entity" and counted(2, "entities") == "2 entities"
