"""A pipeline as a function of batches, for Ray Data's `map_batches` and for Spark's `mapInPandas`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import Errors
from .annotate import Annotator, Settings
from .inputs import Record
from .results import SPARK_SCHEMA, describe, typed

if TYPE_CHECKING:
    import pandas

RESULT_COLUMNS = (
    "entities",
    "spans",
    "cats",
    "answers",
    "choice_answers",
    "mask_predictions",
    "stats",
    "vector",
    "failure",
)


class BigBirdMapper:
    """Adds the predictions of a pipeline to batches of rows with texts.

        ray.data.read_parquet("texts/").map_batches(BigBirdMapper, fn_constructor_args=("my_pipeline",), concurrency=4)

    The pipeline is loaded once in each worker. Rows are never lost: one that fails has the reason in `failure`.

    path (str): the pipeline: a folder or a package.
    text_field (str): the column with the texts. A column `questions` is asked too.
    questions (Sequence[str]): questions to ask about every text.
    vectors (bool): whether to add a vector of each document.
    gpu (int): number of the GPU, or -1 for the CPU. Ray shows each worker only its own: 0.
    code (str | None): Python file with registered functions to be imported, at the same path on every worker.
    **settings (Any): further settings, see `Settings`.
    RAISES ValueError: the pipeline cannot be loaded, or cannot do what is wanted.
    """

    def __init__(
        self,
        path: str,
        *,
        text_field: str = "text",
        questions: Sequence[str] = (),
        vectors: bool = False,
        gpu: int = -1,
        code: str | None = None,
        **settings: Any,
    ) -> None:
        import spacy
        from spacy.util import import_file

        if code is not None:
            import_file("python_code", code)
        if gpu >= 0:
            spacy.require_gpu(gpu)
        wanted = Settings(text_field=text_field, questions=tuple(questions), vectors=vectors, **settings)
        self.annotator = Annotator(spacy.load(path), str(path), wanted)

    def __call__(self, batch: Any) -> Any:
        """Process a batch.

        batch (dict[str, ndarray] | DataFrame | Table): the rows.
        RETURNS (Table): the same rows in the same order, with the columns of the predictions.
        RAISES ValueError: there is no column with texts.
        """
        import pyarrow as pa

        from .results import arrow_columns

        table = _as_table(batch)
        rows = self._rows(table.to_pylist())
        for field in [*arrow_columns(), pa.field("failure", pa.string())]:
            is_map = pa.types.is_map(field.type)
            values = [list(row[field.name].items()) if is_map else row[field.name] for row in rows]
            if field.name in table.column_names:
                table = table.drop_columns([field.name])
            table = table.append_column(field, pa.array(values, type=field.type))
        return table

    def predictions(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Get the predictions for rows. RETURNS (list[dict[str, Any]]): the columns of `RESULT_COLUMNS` for each."""
        return self._rows(rows)

    def _rows(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        field = self.annotator.settings.text_field
        if rows and field not in rows[0]:
            raise ValueError(Errors.BB412.format(name=field, found=sorted(rows[0])))
        found: list[dict[str, Any]] = [dict(_EMPTY, failure="the text is not a string") for _ in rows]
        with self.annotator.nlp.memory_zone():
            for record, doc, reason in self.annotator.annotate(_records(rows, field)):
                row = typed(describe(doc, self.annotator.settings.vectors)) if doc is not None else dict(_EMPTY)
                found[record.number] = {**row, "failure": reason or None}
                del doc
        return found


def spark_mapper(path: str, **settings: Any) -> Callable[[Iterator[Any]], Iterator[pandas.DataFrame]]:
    """Make a function for Spark's `DataFrame.mapInPandas`.

        frame.mapInPandas(spark_mapper("my_pipeline"), schema="id string, " + SPARK_SCHEMA)

    path (str): the pipeline, at the same path on every worker.
    **settings (Any): as in BigBirdMapper. `columns` (list[str]) names the columns to keep; the default is `["id"]`.
    RETURNS (Callable): the function. The pipeline is loaded once for each partition.
    """
    columns = list(settings.pop("columns", ["id"]))

    def map_frames(frames: Iterator[Any]) -> Iterator[pandas.DataFrame]:
        mapper = BigBirdMapper(path, **settings)
        for frame in frames:
            results = mapper.predictions(frame.to_dict("records"))
            kept = frame[columns].reset_index(drop=True)
            yield kept.assign(**{name: [row[name] for row in results] for name in RESULT_COLUMNS})

    return map_frames


_EMPTY: dict[str, Any] = {
    **dict.fromkeys(RESULT_COLUMNS),
    **{name: [] for name in ("entities", "spans", "answers")},
    **{name: {} for name in ("cats", "stats")},
}


def _records(rows: Sequence[dict[str, Any]], field: str) -> Iterator[Record]:
    for number, row in enumerate(rows):
        text, asked = row[field], row.get("questions")
        if isinstance(text, str):
            record = Record(str(row.get("id", number)), "", number, text, size=len(text.encode("utf8", "replace")))
            yield record if asked is None else replace(record, questions=list(asked))


def _as_table(batch: Any) -> Any:
    import pyarrow as pa

    if isinstance(batch, pa.Table):
        return batch
    if isinstance(batch, dict):
        return pa.table({name: pa.array(list(values)) for name, values in batch.items()})
    return pa.Table.from_pandas(batch, preserve_index=False)


__all__ = ["RESULT_COLUMNS", "SPARK_SCHEMA", "BigBirdMapper", "spark_mapper"]
