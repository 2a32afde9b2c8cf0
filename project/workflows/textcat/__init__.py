"""Authors of excerpts of novels, and topics of articles."""
