"""Real processes and a real local Ray: the same bytes as one process, also when workers are killed."""

import sys
from types import SimpleNamespace

import pytest

from spacy_bigbird.apply import BigBirdMapper, LocalEngine, RayEngine, Settings, apply, engines, spark_mapper
from spacy_bigbird.apply.engines import make_engine
from spacy_bigbird.apply.mapper import RESULT_COLUMNS

from ..processes import quick_context
from .conftest import contents, rows, some_texts, write_jsonl

SETTINGS = Settings(shard_pieces=120)


@pytest.fixture(autouse=True)
def as_important_as_others(monkeypatch):
    """Ray's workers give way to all other processes by default, so that they would never begin on a busy machine."""
    monkeypatch.setenv("RAY_worker_niceness", "0")


@pytest.fixture
def inputs(tmp_path):
    """Texts, of which two kill their worker once, and what one process makes of them."""
    texts = [f"{text} Anna Paris" for text in some_texts(12)]
    texts[3] += f" die:{tmp_path / 'first'}"
    texts[7] += f" die:{tmp_path / 'second'} raise:this"
    return write_jsonl(tmp_path / "a.jsonl", texts)


def expected(obedient, inputs, folder):
    for name in ("first", "second"):
        (folder / name).touch()
    apply(obedient[0], [inputs], folder / "expected", settings=SETTINGS, code=obedient[1])
    return contents(folder / "expected")


@pytest.mark.parametrize(
    "engine", [LocalEngine(2), pytest.param(RayEngine(2), marks=pytest.mark.slow)], ids=["processes", "ray"]
)
def test_killed_workers_are_replaced_and_the_bytes_are_the_same(engine, obedient, inputs, tmp_path, monkeypatch):
    monkeypatch.setattr(engines, "multiprocessing", SimpleNamespace(get_context=lambda method: quick_context()))
    summary = apply(obedient[0], [inputs], tmp_path / "out", settings=SETTINGS, engine=engine, code=obedient[1])
    assert (tmp_path / "first").exists() and (tmp_path / "second").exists()
    assert summary["failed"] == 1 and len(rows(tmp_path / "out")) == 11
    assert contents(tmp_path / "out") == expected(obedient, inputs, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("engine", [LocalEngine(2), RayEngine(2)], ids=["processes", "ray"])
def test_a_document_that_always_kills_its_worker(engine, obedient, tmp_path):
    path = write_jsonl(tmp_path / "a.jsonl", ["Paris", "always-die", "Anna"])
    given = {"settings": Settings(shard_pieces=4), "code": obedient[1]}
    with pytest.raises(RuntimeError, match=r"BB408.*record 2 of" if isinstance(engine, LocalEngine) else "BB415"):
        apply(obedient[0], [path], tmp_path / "out", engine=engine, **given)
    path.write_text(path.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("engine", [LocalEngine(2), RayEngine(2)], ids=["processes", "ray"])
def test_errors_of_workers_arrive(engine, obedient, tmp_path):
    path = write_jsonl(tmp_path / "a.jsonl", ["Paris"] * 4)
    (tmp_path / "code.py").write_text("import nothing_like_this")
    with pytest.raises(ValueError, match=r"BB406.*nothing_like_this"):
        apply(obedient[0], [path], tmp_path / "out", settings=SETTINGS, engine=engine, code=tmp_path / "code.py")


@pytest.mark.slow
@pytest.mark.parametrize("engine", [LocalEngine(1), LocalEngine(2), RayEngine(2)], ids=str)
def test_a_real_pipeline_gives_the_same_bytes(engine, pipeline, tmp_path):
    path = write_jsonl(tmp_path / "a.jsonl", some_texts(40))
    for name, worker in (("out", engine), ("one", LocalEngine())):
        apply(pipeline, [path], tmp_path / name, settings=SETTINGS, engine=worker, threads=1)
    assert contents(tmp_path / "out") == contents(tmp_path / "one")


@pytest.mark.parametrize(
    "given",
    [
        ("spark", 1, None, None, 0),
        ("local", 0, None, None, 0),
        ("local", 1, None, "auto", 0),
        ("local", 1, None, None, 1),
    ],
)
def test_engines_that_are_not_there(given):
    with pytest.raises(ValueError, match="BB410"):
        make_engine(*given)
    assert make_engine("local", 2, None, None, 0) == LocalEngine(2)


def test_ray_is_not_installed(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"BB409.*pip install 'spacy-bigbird\[ray\]'"):
        make_engine("ray", 2, None, None, 0)
    assert make_engine.__module__


TEXTS = ["Anna in Paris", None, "raise:this"]


@pytest.fixture(scope="module")
def mapper(obedient):
    return BigBirdMapper(str(obedient[0]))


def test_the_mapper_takes_every_kind_of_batch(mapper):
    import numpy
    import pandas
    import pyarrow as pa

    columns = {"id": [1, 2, 3], "text": TEXTS}
    arrays = {name: numpy.asarray(values, dtype=object) for name, values in columns.items()}
    for batch in (arrays, pandas.DataFrame(columns), pa.table(columns)):
        found = mapper(batch).to_pylist(maps_as_pydicts="strict")
        assert [row["id"] for row in found] == [1, 2, 3]
        assert [[ent["text"] for ent in row["entities"] or ()] for row in found] == [["Anna", "Paris"], [], []]
        reasons = [row["failure"] for row in found]
        assert reasons[:2] == [None, "the text is not a string"] and "told to: raise:this" in reasons[2]
    assert mapper(pa.table({"text": pa.array([], pa.string())})).num_rows == 0
    with pytest.raises(ValueError, match=r"BB412.*'body'"):
        mapper({"body": numpy.asarray(["a"])})


def test_the_function_for_spark(obedient):
    import pandas

    function = spark_mapper(str(obedient[0]), columns=["id", "year"])
    frames = [pandas.DataFrame({"id": ["a", "b"], "text": TEXTS[:2], "year": [1, 2]})] * 2
    found = list(function(iter(frames)))
    assert [list(frame.columns) for frame in found] == [["id", "year", *RESULT_COLUMNS]] * 2
    assert [ent["text"] for ent in found[1]["entities"][0]] == ["Anna", "Paris"] and found[0]["year"].tolist() == [1, 2]


@pytest.mark.slow
def test_a_real_local_spark(obedient, monkeypatch):
    sql = pytest.importorskip("pyspark.sql")
    from spacy_bigbird.apply import SPARK_SCHEMA

    function = spark_mapper(str(obedient[0]), code=str(obedient[1]))
    # Its workers take the first python3 of the path unless told otherwise.
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    session = sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        frame = session.createDataFrame([("a", "Anna in Paris"), ("b", None)], "id string, text string")
        found = frame.mapInPandas(function, schema="id string, " + SPARK_SCHEMA).collect()
    finally:
        session.stop()
    assert [[ent.text for ent in row.entities] for row in sorted(found)] == [["Anna", "Paris"], []]


@pytest.mark.slow
def test_the_mapper_in_ray_data(obedient):
    import ray

    ray.init(num_cpus=1, include_dashboard=False)
    try:
        data = ray.data.from_items([{"text": "Anna in Paris"}, {"text": "nobody"}])
        data = data.map_batches(
            BigBirdMapper,
            fn_constructor_args=(str(obedient[0]),),
            fn_constructor_kwargs={"code": str(obedient[1])},
            concurrency=1,
        )
        assert [len(row["entities"]) for row in data.take_all()] == [2, 0]
    finally:
        ray.shutdown()
