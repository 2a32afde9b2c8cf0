"""BigBird for spaCy. Importing this package is cheap on purpose: spaCy imports every plugin when it starts."""

__version__ = "0.1.0"
