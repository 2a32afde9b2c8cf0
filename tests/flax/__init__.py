"""Tests of the Flax models, skipped where Flax is not installed: it is not for Python 3.10."""

import os

import pytest

# Read when jax starts: compiling quickly matters more here than running quickly.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

pytest.importorskip("flax", reason="pip install 'spacy-bigbird[flax]'")
