"""Questions about contracts and scientific articles."""
