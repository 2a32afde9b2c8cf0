"""Headings that files mark, and lines that look like headings."""

from spacy_bigbird.files import Document, Heading, outline

CONTRACT = """LEASE AGREEMENT

This agreement is made in Paris by ANNA.
ARTICLE IV
1. Definitions
1.1 Rent. The rent is 900.
  2.3 Term
Section 5 of the Agreement applies, and
Section 5: Notices
12 Monkeys; a film.
Section Agreement
PART ONE
Schedule A
"""


def test_lines_that_look_like_headings():
    found = outline(Document(CONTRACT))
    assert [(heading.level, heading.title) for heading in found] == [
        (1, "LEASE AGREEMENT"),
        (1, "ARTICLE IV"),
        (2, "1. Definitions"),
        (3, "2.3 Term"),
        (2, "Section 5: Notices"),
        (1, "PART ONE"),
        (2, "Schedule A"),
    ]
    assert all(CONTRACT[h.start : h.start + len(h.title)] == h.title for h in found)


def test_marked_headings_come_first():
    headings = (Heading(0, 1, "Lease"),)
    assert outline(Document("Lease\n\nARTICLE IV\n", headings=headings)) == list(headings)
    assert outline(Document("")) == []
