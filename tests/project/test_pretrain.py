"""Masked language modelling on articles: both forms of the corpus, time turned into steps, and the whole workflow."""

import io
import json
import lzma
import math
import tarfile

import numpy as np
import pytest
import srsly
import torch

from project.workflows.library.sources import Asset
from project.workflows.library.systems import Settings
from project.workflows.library.wikispeedia import read_articles
from project.workflows.pretrain import __main__ as pretrain_steps
from project.workflows.pretrain import task as pretrain
from project.workflows.pretrain.scores import Masked, guess, masked_articles, piece_frequencies
from project.workflows.steps.evaluate import evaluate
from project.workflows.steps.train import train
from spacy_bigbird.model import BigBirdConfig, BigBirdForMaskedLM
from spacy_bigbird.pretraining.masking import PieceTable
from spacy_bigbird.tokenizer import BigBirdTokenizer

from ..toy_text import toy_text
from .stand_ins import PROJECT

UPSTREAM = """#copyright

{title}

2007 Schools Wikipedia Selection. Related subjects: Everyday life

   {first}
   goes on here.

   Enlarge

   {last}
"""


def write_articles(folder, number=3):
    """The upstream archive and the converted file, in their true formats."""
    upstream, converted = folder / "wikispeedia.tar.gz", folder / "wikispeedia" / "wikispeedia_articles.jsonl.xz"
    converted.parent.mkdir()
    rows = []
    names = ["Zebra", "Zürich", "%C3%81lava", *(f"Article_{n}" for n in range(3, number))]
    with tarfile.open(upstream, "w:gz") as archive:
        for index, name in enumerate(names):
            title, first, last = name.replace("_", " "), toy_text(index, 20), toy_text(100 + index, 20)
            content = UPSTREAM.format(title=title, first=first, last=last).encode()
            info = tarfile.TarInfo(f"epfl_ADA_project-c955/data/plaintext_articles/{name}.txt")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
            text = f"{title}\n\n{first} goes on here.\n\n{last}"
            plain = "Álava" if name == "%C3%81lava" else name
            part = ("train", "dev", "test")[index] if number == 3 else ("dev", "test", *["train"] * 8)[index % 10]
            about = {"title": title, "labels": ["Science", "People"][: index % 3], "categories": []}
            rows.append({"id": plain, **about, "text": text, "split": part})
    with lzma.open(converted, "wt", encoding="utf8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return Asset(upstream, False), Asset(converted, True)


def test_both_forms_of_the_articles_say_the_same(tmp_path):
    upstream, converted = (
        [(one.name, one.text, one.part) for one in read_articles(asset)] for asset in write_articles(tmp_path)
    )
    assert [one[:2] for one in upstream] == [one[:2] for one in converted]
    assert [one[0] for one in upstream] == ["Zebra", "Zürich", "Álava"]
    assert [one[2] for one in converted] == ["train", "dev", "test"] and upstream[0][2] is None


def test_all_real_articles_are_read(data_dir):
    asset = Asset(data_dir / "wikispeedia" / "wikispeedia_articles.jsonl.xz", True)
    name, text, _, part = next(read_articles(asset))
    assert (name, part) == ("10th_century", "train") and len(text) > 1000


def test_time_becomes_steps():
    short = pretrain.plan(128, {128: 0.5}, 100.0)
    assert short["training.lengths"] == [[0, 128]] and short["training.max_steps"] == 200
    long = pretrain.plan(4096, {128: 0.5, 4096: 1.0}, 100.0)
    assert long["training.lengths"] == [[0, 128], [100, 4096]] and long["training.max_steps"] == 150
    assert long["training.schedule.warmup_steps"] == 12
    assert pretrain.plan(128, {128: 50.0}, 1.0)["training.max_steps"] == 1


def test_the_curve_takes_the_loss_before_each_evaluation():
    lines = [
        {"kind": "train", "step": 10, "loss": 5.0},
        {"kind": "dev", "step": 10, "masked_accuracy": 0.1},
        {"kind": "train", "step": 20, "loss": 4.0},
        {"kind": "dev", "step": 20, "masked_accuracy": 0.2},
    ]
    first, last = pretrain.curve_of(lines, 8.0)
    assert first == {"step": 10, "seconds": 4.0, "score": 0.1, "losses": {"masked": 5.0}}
    assert last == {"step": 20, "seconds": 8.0, "score": 0.2, "losses": {"masked": 4.0}}


@pytest.fixture(scope="module")
def tokenizer(vocab_file):
    return BigBirdTokenizer(str(vocab_file), map_whitespace=True)


def small_model(tokenizer):
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    return BigBirdForMaskedLM(BigBirdConfig(vocab_size=tokenizer.vocab_size, **shape)).eval()


@pytest.mark.parametrize("length", [12, 30, 400])
def test_guesses_are_those_of_the_padded_model(tokenizer, length):
    table, model = PieceTable.of(tokenizer), small_model(tokenizer)
    (ids,) = tokenizer.text_ids([toy_text(3, 12)])
    ids = np.asarray(ids)[:50]
    article = Masked(ids, np.array([0, 3, 11, 20, 49]))
    bits, is_right = guess(model, article, table, length)
    masked = ids.copy()
    masked[article.places] = table.mask_id
    expected = []
    for start in range(0, len(ids), length - 2):
        part = masked[start : start + length - 2]
        row = torch.tensor([[table.cls_id, *part.tolist(), table.sep_id]])
        with torch.no_grad():
            scores = model(row).logits[0].log_softmax(-1)
        for place in article.places[(article.places >= start) & (article.places < start + len(part))]:
            expected.append(
                (-float(scores[1 + place - start, ids[place]]) / math.log(2), int(scores[1 + place - start].argmax()))
            )
    assert bits == pytest.approx([cost for cost, _ in expected], abs=1e-4)
    assert is_right.tolist() == [best == ids[place] for (_, best), place in zip(expected, article.places, strict=True)]


def test_the_same_pieces_are_masked_for_every_system(tmp_path, tokenizer):
    table = PieceTable.of(tokenizer)
    srsly.write_jsonl(tmp_path / "test.jsonl", [{"text": toy_text(n, 30)} for n in range(3)] + [{"text": " "}])
    first, second = (masked_articles(tmp_path, "test", tokenizer, table, 200) for _ in range(2))
    assert len(first) == 3 and all((a.places == b.places).all() for a, b in zip(first, second, strict=True))
    for article in first:
        assert len(article.ids) == 200 and len(set(article.places)) == len(article.places) <= 30
        assert not table.is_special[article.ids[article.places]].any()


def test_frequencies_are_of_the_texts_to_learn_from(tmp_path, tokenizer):
    srsly.write_jsonl(tmp_path / "train.jsonl", [{"text": "the the the contract"}])
    frequency = piece_frequencies(tmp_path, tokenizer)
    (the,) = tokenizer.text_ids(["the"])
    assert frequency.sum() == pytest.approx(1.0) and frequency.min() > 0
    assert set(the) & {int(frequency.argmax())}


def test_the_workflow_from_assets_to_the_exported_checkpoint(tmp_path, monkeypatch, capsys):
    """Training in this process, on a stand-in of twenty articles, with next to no time."""
    data, root = tmp_path / "data", tmp_path / "project"
    data.mkdir()
    root.mkdir()
    write_articles(data, 20)
    monkeypatch.setenv("SPACY_BIGBIRD_DATA", str(data))
    monkeypatch.setattr(pretrain, "TRIED", (1, 2))
    (root / "configs").symlink_to(PROJECT / "configs")
    settings = Settings(seconds=0.01, max_length=1024)
    pretrain.preprocess(root, settings)
    pretrain_steps.check(root)
    assert "Unknown pieces" in capsys.readouterr().out
    facts = srsly.read_json(root / "corpus" / "pretrain" / "split.json")["facts"]
    assert [facts[part]["documents"] for part in ("train", "dev", "test")] == [16, 2, 2]
    train("pretrain", "strided", settings, root)
    results = evaluate("pretrain", "strided", settings, root)
    assert results["documents"] == 2 and results["sequence_length"] == 128
    assert results["scores"]["bits_per_character"]["score"] > 0 and len(results["curve"]) >= 1
    assert results["baselines"]["frequency of the pieces"]["bits_per_character"]["score"] > 0
    assert results["training"]["steps"] == 1 and results["training"]["lengths"] == [[0, 128]]
    assert results["training"]["documents"] == 4096 // 128
    pretrain_steps.export(root / "packages" / "encoder", "strided", 0, root)
    names = sorted(path.name for path in (root / "packages" / "encoder").iterdir())
    assert names == ["config.json", "model.safetensors", "spiece.model"]
    with pytest.raises(ValueError, match=r"no system 'tok2vec'\. Choose from bigbird"):
        train("pretrain", "tok2vec", settings, root)
