"""Review questions about sections of textbooks."""
