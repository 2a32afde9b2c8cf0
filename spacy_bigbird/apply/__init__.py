"""Applying a pipeline to millions of documents: `python -m spacy bigbird apply`, and functions for Ray and Spark."""

from .annotate import Settings
from .engines import LocalEngine, RayEngine
from .mapper import SPARK_SCHEMA, BigBirdMapper, spark_mapper
from .run import apply

__all__ = ["SPARK_SCHEMA", "BigBirdMapper", "LocalEngine", "RayEngine", "Settings", "apply", "spark_mapper"]
