"""BigBird for spaCy. This package is cheap to import on purpose, because spaCy imports every plugin at startup."""

__version__ = "0.2.0"
