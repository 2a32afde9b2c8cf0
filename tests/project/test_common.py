"""What all workflows share: assets, time, systems, statistics and reports."""

import itertools
import json
import lzma
import shutil
import time

import numpy as np
import pytest
import spacy
import srsly
import torch
from hypothesis import given
from hypothesis import strategies as st
from spacy.scorer import get_ner_prf
from spacy.tokens import Span
from spacy.training import Example
from spacy.util import load_config, registry
from spacy.vocab import Vocab

from project.scripts import assets, budget, evaluate, parts, report, run_all, statistics, systems, tasks
from project.scripts.machines import describe_machines
from project.scripts.options import make_settings
from project.scripts.preprocess import split_ids
from spacy_bigbird.model import BigBirdConfig, BigBirdModel
from spacy_bigbird.pipeline.ner.biluo import preset_entities
from spacy_bigbird.tokenizer import BigBirdTokenizer

from .stand_ins import PROJECT, write_archive

VOCAB = Vocab()
SOURCES = assets.SOURCES.values()


@pytest.fixture
def nlp():
    return spacy.blank("en")


def make_examples(nlp, lengths):
    return [Example(nlp.make_doc("word " * n), nlp.make_doc("word " * n)) for n in lengths]


class Hands:
    """A clock that goes on only when it is told to."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setitem(budget.CLOCKS, "cpu", lambda: self.now)


@pytest.fixture
def hands(monkeypatch):
    return Hands(monkeypatch)


# Assets


def test_converted_files_come_first_and_what_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv(assets.VARIABLE, raising=False)
    with pytest.raises(FileNotFoundError, match=r"litbank.tar.gz: `python -m scripts.assets litbank` fetches it"):
        assets.find("litbank", tmp_path)
    write_archive(tmp_path / "assets" / "litbank.tar.gz", {"a": ""})
    assert assets.find("litbank", tmp_path) == assets.Asset(tmp_path / "assets" / "litbank.tar.gz", False)
    monkeypatch.setenv(assets.VARIABLE, str(tmp_path))
    with pytest.raises(FileNotFoundError, match="names the wrong folder"):
        assets.find("litbank", tmp_path)
    (tmp_path / "litbank").mkdir()
    (tmp_path / "litbank" / "litbank_ner.jsonl.xz").touch()
    assert assets.find("litbank", tmp_path).is_converted


def test_assets_are_those_of_the_project_file_and_fetched_only_when_missing(tmp_path, monkeypatch):
    described = {asset["dest"]: asset for asset in srsly.read_yaml(PROJECT / "project.yml")["assets"]}
    # A corpus of several files has a folder.
    files = {source.upstream: [d for d in described if f"{d}/".startswith(f"{source.upstream}/")] for source in SOURCES}
    assert all(files.values()) and sorted(itertools.chain(*files.values())) == sorted(described)
    fetched = []
    monkeypatch.setattr("weasel.cli.assets.fetch_asset", lambda root, url, dest, checksum: fetched.append((url, dest)))
    monkeypatch.delenv(assets.VARIABLE, raising=False)
    srsly.write_yaml(tmp_path / "project.yml", {"assets": list(described.values())})
    with pytest.raises(FileNotFoundError):
        assets.fetch(["litbank"], tmp_path)
    ((url, dest),) = fetched
    assert dest.as_posix() == "assets/litbank.tar.gz" and url == described[str(dest)]["url"]
    write_archive(tmp_path / "assets" / "litbank.tar.gz", {"a": ""})
    assets.fetch(["litbank"], tmp_path)
    monkeypatch.setenv(assets.VARIABLE, str(tmp_path))
    with pytest.raises(FileNotFoundError):
        assets.fetch(["novels"], tmp_path)
    assert len(fetched) == 1


def test_lines_and_archives_are_read_whatever_their_compression(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"x": 1}\n\n{"x": "é"}\n', encoding="utf8")
    with lzma.open(tmp_path / "a.jsonl.xz", "wt", encoding="utf8") as file:
        file.write('{"x": 1}\n{"x": "é"}\n')
    for name in ("a.jsonl", "a.jsonl.xz"):
        assert [row["x"] for row in assets.read_json_lines(tmp_path / name)] == [1, "é"]
    for name in ("a.tar.gz", "a.tar.xz"):
        write_archive(tmp_path / name, {"top/a.txt": "\ufeffé", "top/b.md": "no"})
        assert list(assets.read_archive(tmp_path / name, "*.txt")) == [("top/a.txt", "é")]


@given(st.sets(st.text(min_size=1, max_size=5), min_size=3, max_size=60))
def test_a_split_has_all_parts_and_does_not_depend_on_the_order(names):
    split = split_ids(names)
    assert split == split_ids(sorted(names, reverse=True)) and set(split) == names
    held_out = max(1, len(names) // 10)
    assert [list(split.values()).count(part) for part in ("dev", "test")] == [held_out, held_out]


# Time


def test_batches_end_with_the_time_and_evaluation_does_not_count(nlp, hands):
    batcher = budget.make_budget_batcher(lambda examples: ([one] for one in examples), seconds=10.0)
    examples = make_examples(nlp, [3, 3, 3])
    dev = budget.make_outside_budget(lambda nlp: [])
    seen = 0
    for _ in batcher(examples):
        seen += 1
        hands.now += 1.0
        list(dev(nlp))
        hands.now += 100.0
    assert seen == 10
    facts = budget.CLOCK.facts()
    assert facts == {
        "clock": "cpu",
        "budget_seconds": 10.0,
        "used_seconds": 10.0,
        "steps": 10,
        "documents": 10,
        "tokens": 30,
    }


def test_phases_take_documents_by_length_until_their_share_is_used(nlp, hands):
    phases = [{"longest": 5, "until": 0.3}, {"shortest": 6}]
    batcher = budget.make_budget_batcher(lambda examples: ([one] for one in examples), 10.0, phases=phases)
    lengths = []
    for (one,) in batcher(make_examples(nlp, [2, 4, 9])):
        lengths.append(len(one.predicted))
        hands.now += 1.0
    assert sorted(lengths[:2]) == [2, 4] and lengths[2] in (2, 4) and lengths[3:] == [9] * 7
    with pytest.raises(ValueError, match="change the phase"):
        list(budget.make_budget_batcher(lambda e: [e], 10.0, phases=[{"shortest": 99}])(make_examples(nlp, [3])))


def test_noise_changes_words_and_nothing_else(nlp, hands):
    doc = nlp.make_doc("Anna met Boris in the old town yesterday .")
    doc.ents = [doc.char_span(0, 4, "PER")]
    doc.cats = {"A": 1.0}
    batcher = budget.make_budget_batcher(lambda examples: [list(examples)], 50.0, noise=0.3)
    changed = 0
    for (one,) in batcher([Example(nlp.make_doc(doc.text), doc)]):
        words = [token.text for token in one.predicted]
        assert words == [token.text for token in one.reference] and len(words) == len(doc)
        assert [(ent.start, ent.end, ent.label_) for ent in one.reference.ents] == [(0, 1, "PER")]
        assert not one.predicted.ents and one.reference.cats == {"A": 1.0}
        changed += sum(word != token.text for word, token in zip(words, doc, strict=True))
        hands.now += 1.0
    # Of 50 times 9 words three in ten are drawn, and one in nine of these is the same again.
    assert 0.2 < changed / (50 * len(doc)) < 0.33


def test_noise_leaves_the_most_frequent_words_alone_and_puts_them_nowhere(nlp, hands):
    doc = nlp.make_doc("The cat saw the dog , the bird saw the cat , the end")
    batcher = budget.make_budget_batcher(lambda examples: [list(examples)], 50.0, noise=1.0, frequent=2)
    replaced = set()
    for (one,) in batcher([Example(nlp.make_doc(doc.text), doc)]):
        for token, new in zip(doc, one.predicted, strict=True):
            if token.lower_ in ("the", "cat"):
                assert new.text == token.text
            else:
                replaced.add(new.text)
        hands.now += 1.0
    assert replaced == {"saw", "dog", ",", "bird", "end"}


def test_without_seconds_it_is_one_pass_over_everything(nlp):
    batches = budget.make_budget_batcher(lambda examples: ([one] for one in examples), 0.0, phases=[{"longest": 1}])
    assert len(list(batches(make_examples(nlp, [3, 40])))) == 2


def test_cpu_time_is_that_of_the_process():
    clock = budget.Clock()
    clock.start("cpu", 1.0)
    clock.resume()
    time.sleep(0.3)
    clock.pause()
    assert clock.used < 0.2


def test_the_learning_rate_follows_the_time(nlp, hands):
    rates = budget.make_schedule(rate=1.0, warmup=0.2)
    budget.CLOCK.start("cpu", 10.0)
    budget.CLOCK.resume()
    found = []
    for _ in range(11):
        found.append(next(rates))
        hands.now += 1.0
    assert found[0] == pytest.approx(0.005) and found[1] == pytest.approx(0.505) and found[2] == 1.0
    assert found[6] == pytest.approx(0.5) and found[10] == 0.0


def test_the_record_is_written_as_it_comes(tmp_path, nlp, hands):
    log_step, finalize = budget.make_logger(str(tmp_path / "record"))(nlp)
    budget.CLOCK.start("cpu", 10.0)
    for step in range(3):
        log_step({"step": step, "score": 0.5, "losses": {"ner": 6.0}} if step in (0, 2) else None)
    finalize()
    first, last = srsly.read_jsonl(tmp_path / "record" / "curve.jsonl")
    assert first["losses"] == {"ner": 6.0} and last["losses"] == {"ner": 3.0} and last["score"] == 0.5
    assert srsly.read_json(tmp_path / "record" / "training.json")["budget_seconds"] == 10.0


# Parts of documents


def test_parts_keep_entities_inside_and_categories(nlp):
    doc = nlp.make_doc("Anna Smith met Boris . They left Berlin soon .")
    doc.ents = [doc.char_span(0, 10, "PER"), doc.char_span(15, 20, "PER"), doc.char_span(33, 39, "GPE")]
    doc.cats = {"A": 1.0, "B": 0.0}
    part = parts.doc_part(doc, 1, 8)
    assert part.text == "Smith met Boris . They left Berlin "
    assert [(ent.text, ent.label_) for ent in part.ents] == [("Boris", "PER"), ("Berlin", "GPE")]
    assert part.cats == doc.cats and parts.doc_part(doc, 0, len(doc)) is doc


@given(st.lists(st.sampled_from(["word", "."]), min_size=1, max_size=60), st.integers(2, 12), st.data())
def test_stretches_cover_everything_and_cut_no_entity(words, size, data):
    doc = spacy.tokens.Doc(VOCAB, words)
    start = data.draw(st.integers(0, len(words) - 1))
    end = data.draw(st.integers(start + 1, min(len(words), start + size // 2 + 1)))
    doc.ents = [spacy.tokens.Span(doc, start, end, "PER")]
    cut = parts.stretches(doc, size)
    if len(words) <= size:
        assert cut == []
        return
    assert cut[0][0] == 0 and cut[-1][1] == len(words)
    assert all(one[1] == other[0] for one, other in itertools.pairwise(cut))
    assert all(0 < stop - begin <= size for begin, stop in cut)
    assert all(stop <= start or stop >= end for _, stop in cut)


@pytest.mark.parametrize(
    ("limit", "expected"), [(0, range(10)), (3, range(0, 10, 4)), (10, range(10)), (99, range(10))]
)
def test_a_limited_corpus_is_from_everywhere_in_the_file(nlp, tmp_path, limit, expected):
    texts = [f"document {number}" for number in range(10)]
    spacy.tokens.DocBin(docs=[nlp.make_doc(text) for text in texts]).to_disk(tmp_path / "dev.spacy")
    examples = budget.make_corpus(str(tmp_path / "dev.spacy"), limit=limit)(nlp)
    assert [example.reference.text for example in examples] == [texts[number] for number in expected]


def test_the_first_pieces_end_with_a_whole_token(nlp, vocab_file):
    tokenizer = parts.load_tokenizer(vocab_file)
    doc = nlp.make_doc("The captain reads a letter.\n\nIstanbul is an unpronounceable city in summer.")
    total = len(tokenizer.text_ids([doc.text])[0])
    previous = 0
    for pieces in range(total + 1):
        kept = parts.tokens_within(doc, tokenizer, pieces)
        fits = len(tokenizer.text_ids([doc[:kept].text])[0]) if kept else 0
        assert fits <= pieces and kept >= previous
        if kept < len(doc):
            more = next(t.i for t in doc[kept:] if not t.is_space)
            assert len(tokenizer.text_ids([doc[: more + 1].text])[0]) > pieces
        previous = kept
    assert previous == len(doc)


def test_entities_after_the_beginning_count_as_missed_in_development(nlp, vocab_file, tmp_path):
    doc = nlp.make_doc("Ann saw Bob in town. " * 30)
    doc.set_ents([Span(doc, i, i + 1, "PER") for i, token in enumerate(doc) if token.text in ("Ann", "Bob")])
    spacy.tokens.DocBin(docs=[doc]).to_disk(tmp_path / "dev.spacy")
    read, unread = budget.make_corpus(str(tmp_path / "dev.spacy"), str(vocab_file), first_pieces=100, is_dev=True)(nlp)
    assert len(read.reference) < len(unread.reference) and len(read.reference) + len(unread.reference) == len(doc)
    # spaCy evaluates copies.
    assert preset_entities(unread.predicted.copy()) == ([], list(range(len(unread.predicted))))
    read.predicted.ents = [Span(read.predicted, ent.start, ent.end, ent.label_) for ent in read.reference.ents]
    scores = get_ner_prf([read, unread])
    assert scores["ents_p"] == 1.0 and scores["ents_r"] == pytest.approx(len(read.reference.ents) / len(doc.ents))
    # Categories are those of the document, whatever is read of it.
    plain = nlp.make_doc(doc.text)
    plain.cats = {"A": 1.0}
    spacy.tokens.DocBin(docs=[plain]).to_disk(tmp_path / "dev.spacy")
    (only,) = budget.make_corpus(str(tmp_path / "dev.spacy"), str(vocab_file), first_pieces=100, is_dev=True)(nlp)
    assert len(only.reference) == len(read.reference) and only.reference.cats == {"A": 1.0}


# Systems


def encoder_of(path):
    return load_config(path)["components"]["bigbird"]["model"]


def write_all(folder, settings):
    return {
        name: systems.write_config(
            folder / name / "config.cfg",
            PROJECT / "configs" / ("ner_tok2vec.cfg" if name == "tok2vec" else "ner.cfg"),
            name,
            settings,
            folder / "corpus",
        )
        for name in systems.SYSTEMS
    }


def test_systems_differ_in_what_they_see_and_in_nothing_else(tmp_path):
    paths = write_all(tmp_path, make_settings(seed=3, seconds=5, max_length=1024))
    configs = {name: load_config(path, interpolate=True) for name, path in paths.items()}
    for config in configs.values():
        assert config["system"]["seed"] == 3 and config["training"]["batcher"]["seconds"] == 5
        assert config["training"]["batcher"]["clock"] == "cpu"
        registry.resolve({"batcher": config["training"]["batcher"]})
    whole, strided, truncated = (encoder_of(paths[name]) for name in ("bigbird", "strided", "truncated"))
    assert whole["transformer_config"]["max_position_embeddings"] == 1024 and whole["overlap"] is None
    assert strided["transformer_config"] == {**whole["transformer_config"], "max_position_embeddings": 130}
    assert strided["overlap"] == 32 and truncated == whole
    for name in systems.SYSTEMS:
        if name != "truncated":
            assert configs[name]["corpora"]["dev"]["first_pieces"] is None
    assert all(configs["truncated"]["corpora"][part]["first_pieces"] == 512 for part in ("train", "dev"))
    for block in ("optimizer", "batcher", "dropout"):
        assert configs["bigbird"]["training"][block] == configs["strided"]["training"][block]


def test_random_weights_that_know_neighbours_are_those_of_the_seed(tmp_path, vocab_file):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    shutil.copy(vocab_file, corpus / "spiece.model")

    def encoder(system, seed):
        settings, base = make_settings(seed=seed, max_length=512), PROJECT / "configs" / "ner.cfg"
        path = tmp_path / f"{system}{seed}" / "config.cfg"
        systems.write_config(path, base, system, settings, corpus, knows_neighbours=True)
        assert encoder_of(path)["transformer_config"] == {} and encoder_of(path)["vocab_file"] is None
        return BigBirdModel.from_pretrained(encoder_of(path)["name"])

    one, other, strided = encoder("bigbird", 0), encoder("bigbird", 1), encoder("strided", 0)
    assert (one.config.max_position_embeddings, strided.config.max_position_embeddings) == (512, 130)
    assert torch.equal(one.embeddings.word_embeddings.weight, strided.embeddings.word_embeddings.weight)
    assert not torch.equal(one.embeddings.word_embeddings.weight, other.embeddings.word_embeddings.weight)
    # A head looks at the piece before or behind, most of all.
    rows = torch.nn.functional.layer_norm(one.embeddings.position_embeddings.weight, (128,))[:64]
    queries, keys, _ = (rows @ one.encoder.layers[0].attention.query_key_value.weight.T).split(128, dim=1)
    for head, offset in enumerate((-1, 1)):
        part = slice(64 * head, 64 * head + 64)
        best = (queries[:, part] @ keys[:, part].T).argmax(1)
        assert best[2:-2].tolist() == [i + offset for i in range(2, 62)]


def test_windows_of_the_strided_system_are_128_pieces_every_96(tmp_path, vocab_file):
    nlp = spacy.blank("en")
    settings = {"max_position_embeddings": 130, **systems.SIZES["tiny"], "num_hidden_layers": 1}
    model = {"@architectures": "spacy-bigbird.BigBirdModel.v1", "vocab_file": str(vocab_file)}
    nlp.add_pipe("bigbird", config={"model": {**model, "transformer_config": settings, "overlap": systems.OVERLAP}})
    nlp.initialize()
    doc = nlp.make_doc("the " * (128 + 2 * 96))
    lengths = nlp(doc)._.trf_data.model_output["window_lengths"]
    assert lengths.tolist() == [128, 128, 128]


def test_a_checkpoint_is_shortened_for_windows(tmp_path, vocab_file):
    torch.manual_seed(0)
    config = BigBirdConfig(
        vocab_size=800,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=256,
        block_size=16,
    )
    whole = BigBirdModel(config)
    whole.save_pretrained(tmp_path / "whole")
    BigBirdTokenizer(str(vocab_file)).save_vocabulary(tmp_path / "whole")
    path = write_all(tmp_path, make_settings(checkpoint=str(tmp_path / "whole")))["strided"]
    assert encoder_of(path)["transformer_config"] == {}
    short = BigBirdModel.from_pretrained(encoder_of(path)["name"])
    assert short.config.max_position_embeddings == 130
    ids = torch.randint(3, 800, (1, 128))
    whole.eval(), short.eval()
    with torch.no_grad():
        same = torch.allclose(whole(ids).last_hidden_state, short(ids).last_hidden_state, atol=1e-5)
    assert same
    assert BigBirdTokenizer.from_pretrained(encoder_of(path)["name"]).vocab_size == 800


@pytest.mark.parametrize(("width", "rate"), [(192, 1e-3), (384, 2e-4), (768, 5e-5)])
def test_wider_checkpoints_learn_more_slowly(tmp_path, width, rate):
    BigBirdConfig(hidden_size=width).save_pretrained(tmp_path)
    assert systems.checkpoint_rate(str(tmp_path)) == rate


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"There is no task 'nothing'\. Choose from ner"):
        tasks.get_task("nothing")
    with pytest.raises(Exception, match="not one of tiny, small, base"):
        make_settings(size="huge")
    assert make_settings(checkpoint="none").checkpoint is None and make_settings(gpu=0).clock == "wall"


# Statistics


def test_scores_are_what_their_formulas_say():
    assert statistics.f_score(np.array([2, 1, 3])) == pytest.approx(0.5)
    assert statistics.precision(np.array([2, 1, 3])) == pytest.approx(2 / 3)
    assert statistics.recall(np.array([2, 1, 3])) == pytest.approx(0.4)
    assert statistics.f_score(np.zeros(3)) == 0.0 and statistics.mean(np.zeros(2)) == 0.0
    # The third label does not occur.
    assert statistics.macro_f(np.array([1, 0, 0, 0, 1, 1, 0, 0, 0])) == pytest.approx(0.5)
    assert statistics.mean(np.array([[3, 4], [1, 4]])).tolist() == [0.75, 0.25]


def test_an_interval_is_that_of_the_mean_of_many_documents():
    """Of 400 documents of which half are right, the standard error is 0.025."""
    counts = np.array([[i % 2, 1] for i in range(400)])
    found = statistics.interval(counts, statistics.mean, resamples=4000)
    assert found["score"] == 0.5
    assert found["low"] == pytest.approx(0.5 - 1.96 * 0.025, abs=0.006)
    assert found["high"] == pytest.approx(0.5 + 1.96 * 0.025, abs=0.006)
    assert found == statistics.interval(counts, statistics.mean, resamples=4000)
    assert statistics.interval(counts[:1], statistics.mean) == {"score": 0.0, "low": 0.0, "high": 0.0}


def test_a_difference_is_taken_document_by_document():
    """Where every document is better by the same, there is no doubt, however different the documents are."""
    other = np.array([[number, 10] for number in range(5)])
    one = other + np.array([2, 0])
    found = statistics.difference(one, other, statistics.mean)
    assert found == {"score": 0.2, "low": 0.2, "high": 0.2}


def test_groups_by_length_and_position():
    counts = np.array([[1, 1], [0, 1], [1, 1], [1, 1], [0, 1], [0, 1], [1, 1], [0, 1]])
    groups = statistics.by_length(counts, [80, 10, 70, 60, 20, 30, 50, 40], statistics.mean)
    assert [(g["shortest"], g["longest"], g["score"]) for g in groups] == [
        (10, 20, 0.0),
        (30, 40, 0.0),
        (50, 60, 1.0),
        (70, 80, 1.0),
    ]
    parts = statistics.by_position(np.array([[[1, 1], [0, 1]], [[1, 1], [1, 1]]]), statistics.mean)
    assert [(p["start"], p["end"], p["score"]) for p in parts] == [(0.0, 0.5, 1.0), (0.5, 1.0, 0.5)]


# Report


def make_result(system, seed, right):
    group = {"score": right / 10, "low": 0.1, "high": 0.9}
    return {
        "task": "ner",
        "system": system,
        "seed": seed,
        "size": None if system == "tok2vec" else "tiny",
        "checkpoint": None,
        "max_length": 4096,
        "command": f"python -m scripts.train ner --system {system} --seed {seed}",
        "machine": {"processor": "A & B", "gpu": None},
        "training": {
            "budget_seconds": 600.0,
            "clock": "cpu",
            "used_seconds": 600.1,
            "steps": 10,
            "documents": 20,
            "tokens": 3000,
            "dev_score": 0.5,
        },
        "curve": [{"seconds": 1.0, "score": 0.1}, {"seconds": 600.0, "score": 0.5}],
        "scores": {"ents_f": group},
        "by_type": {"PER": {**group, "mentions": 12}},
        "by_length": [{"shortest": 5, "longest": 9, **group}, {"shortest": 10, "longest": 20, **group}],
        "by_position": [{"start": 0.0, "end": 0.5, **group}, {"start": 0.5, "end": 1.0, **group}],
        "counts": [[right, 10 - right, 10 - right], [right, 10 - right, 10 - right]],
        "speed": {"tokens_per_cpu_second": 1000},
        "memory": {"peak_mb": 500.0},
    }


def test_evaluating_what_was_not_trained_says_what_comes_first(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"ner-bigbird-seed0.*scripts\.train"):
        evaluate.evaluate("ner", "bigbird", systems.Settings(), tmp_path)


def test_a_report_has_every_number(tmp_path):
    with pytest.raises(FileNotFoundError, match="train and evaluate"):
        report.write_report(tmp_path, "ner")
    (tmp_path / "results").mkdir()
    for system, seed, right in (("bigbird", 0, 8), ("bigbird", 1, 6), ("tok2vec", 0, 5), ("tok2vec", 1, 5)):
        path = tasks.Paths(tmp_path, "ner").result(system, seed)
        path.write_text(json.dumps(make_result(system, seed, right)), encoding="utf8")
    markdown, html, figure = report.write_report(tmp_path, "ner")
    text, page = markdown.read_text(encoding="utf8"), html.read_text(encoding="utf8")
    # Of both seeds' counts together: (8 + 6) of 20 right.
    assert "| BigBird, whole documents | 0.700 [0.700, 0.700] | 0.800, 0.600 | 1,000 | 500 |" in text
    assert "| than: spaCy tok2vec | +0.200 [+0.200, +0.200] | 2 |" in text
    assert "5 to 9 tokens" in text and "0% to 50%" in text and "PER (12)" in text and "A & B" in text
    assert text.count("    python -m scripts.train ner") == 4 and "600 seconds of CPU time" in text
    assert "A &amp; B" in page and "data:image/png;base64," in page and figure.stat().st_size > 10_000
    assert not any(part in page for part in ("src='http", "<script", "{budget"))
    table = report.summary_table(tmp_path, ["ner", "authors"])
    # What was made with other settings is another table.
    path = tasks.Paths(tmp_path, "ner").result("bigbird", 2)
    path.write_text(json.dumps({**make_result("bigbird", 2, 1), "size": "small"}), encoding="utf8")
    assert report.summary_table(tmp_path, ["ner", "authors"]) == table
    small = report.read_results(tmp_path, "ner", systems.Settings(size="small"))
    assert [[one["seed"] for one in small[system]] for system in ("bigbird", "tok2vec")] == [[2], [0, 1]]
    with pytest.raises(FileNotFoundError, match="with size tiny, 4096 pieces and 60 seconds of cpu time"):
        report.write_report(tmp_path, "ner", systems.Settings(seconds=60.0))
    assert table.count("\n") == 2 and "(2 seeds) | 0.700 [0.700, 0.700] | 0.500 [0.500, 0.500] | – | – |" in table


def test_a_report_leaves_out_what_says_nothing_and_what_cannot_be_compared(tmp_path):
    (tmp_path / "results").mkdir()
    for system in ("bigbird", "truncated"):
        result = make_result(system, 0, 5)
        result["by_length"][0].update(shortest=15, longest=15)
        if system == "truncated":
            del result["training"]["dev_score"]
            result["curve"] = [{"seconds": 1.0}]
        tasks.Paths(tmp_path, "ner").result(system, 0).write_text(json.dumps(result), encoding="utf8")
    text = report.write_report(tmp_path, "ner")[0].read_text(encoding="utf8")
    assert "By length" not in text and "By position" in text
    assert "left out for: same encoder, first 512 pieces." in text and "| 3,000 | – | – |" in text
    assert report._length({"shortest": 1500, "longest": 1500}) == "1,500 tokens"


# All results


def test_what_is_there_is_not_made_again(tmp_path):
    everything = run_all.missing(tmp_path)
    assert everything[:4] == [run_all.Job("ner", system, 0) for system in systems.SYSTEMS]
    assert {job.seed for job in everything if job.task == "authors"} == {0, 1, 2}
    (tmp_path / "results").mkdir()
    tasks.Paths(tmp_path, "ner").result("bigbird", 0).touch()
    assert run_all.missing(tmp_path) == everything[1:]


def test_machines_of_results():
    old, new = {"processor": "A", "gpu": None}, {"processor": "B", "gpu": None}
    results = [{"machine": old, "seed": 0}, {"machine": old, "seed": 0}]
    assert describe_machines(results) == "Machine: processor A."
    results += [{"machine": new, "seed": seed} for seed in (2, 1)]
    assert describe_machines(results) == "Machines: processor A (seeds 0); processor B (seeds 1, 2)."
