"""Questions about contracts and articles: both forms of the corpora, extracts, scores, and the whole workflow."""

import io
import json
import lzma
import tarfile

import pytest
import spacy
import srsly

from project.workflows.library.corpus import split_by_shares
from project.workflows.library.sources import Asset
from project.workflows.library.systems import Settings
from project.workflows.qa import task as qa
from project.workflows.qa.articles import CATEGORIES, read_covid_qa, read_cuad
from project.workflows.steps.evaluate import evaluate
from project.workflows.steps.report import write_report
from project.workflows.steps.train import train
from spacy_bigbird.scoring.squad import AnsweredQuestion

from ..toy_text import toy_texts
from .stand_ins import PROJECT

DETAILS = {name: f"Something about it, number {n}" for n, name in enumerate(CATEGORIES)}
TITLES = ("ACME_1999_EX-10_Supply", "BETA_2004_EX-4_Lease", "CRANE_2011_EX-10.2_Services")


def wording(category):
    return (
        f'Highlight the parts (if any) of this contract related to "{category}" that should be reviewed by a lawyer. '
        f"Details: {DETAILS[category]}"
    )


def contract(number, filler=""):
    """A short contract in CUAD's manner, and the places of what is asked for."""
    words = ["SUPPLY AGREEMENT", f"Acme {number} Inc.", "Beta LLC", f"{number + 1} May 1999"]
    text = (
        f"{words[0]}\n\nThis agreement of {words[3]} is between {words[1]} and {words[2]}.\n\n"
        + filler[200 * number : 200 * number + 900]
        + "Each of them pays for what it has ordered. " * (4 + number)
        + "\n\nThe laws of Nevada govern this agreement."
    )
    found = {"Document Name": [words[0]], "Agreement Date": [words[3]], "Parties": words[1:3]}
    if number != 1:
        found["Governing Law"] = ["The laws of Nevada govern this agreement."]
    places = {
        name: [[text.index(part), text.index(part) + len(part)] for part in parts] for name, parts in found.items()
    }
    return text, places


def write_cuad(folder, numbers=range(3), filler=""):
    """The upstream file and the converted one, in their true formats."""
    data, rows = [], []
    for number in numbers:
        name = TITLES[number] if number < len(TITLES) else f"CO{number}_2001_EX-10_Sale"
        text, places = contract(number, filler)
        asked = {**places, "License Grant": []}
        qas = [
            {
                "answers": [{"text": text[a:b], "answer_start": a} for a, b in asked.get(category, [])],
                "id": f"{name}__{category}",
                # Some end with a space that does not break.
                "question": f"{wording(category)}\u00a0" if category in DETAILS else f"Is there a {category}?",
                "is_impossible": not asked.get(category),
            }
            for category in (*CATEGORIES, "License Grant")
        ]
        data.append({"title": name, "paragraphs": [{"qas": qas, "context": text}]})
        rows.append(
            {
                "id": name,
                "contract_type": "Supply",
                "clauses_present": list(places),
                "answers": places,
                "answer_norm": {"Parties": "Acme; Beta"},
                "text": text,
            }
        )
    splits = split_by_shares((row["id"] for row in rows), (0.7, 0.1))
    upstream, converted = folder / "CUAD_v1.json", folder / "cuad" / "cuad_contracts.jsonl.xz"
    converted.parent.mkdir(exist_ok=True)
    upstream.write_text(json.dumps({"version": "aok_v1.0", "data": data}), encoding="utf8")
    with lzma.open(converted, "wt", encoding="utf8") as file:
        file.writelines(json.dumps({**row, "split": splits[row["id"]]}) + "\n" for row in rows)
    described = [{"category": name, "question": wording(name), "n_contracts": 3, "n_spans": 3} for name in CATEGORIES]
    srsly.write_json(converted.parent / "cuad_categories.json", described)
    return Asset(upstream, False), Asset(converted, True)


def covid_articles():
    """Three articles in the upstream format; the licence of one does not allow everything."""
    articles = []
    for number, licence in enumerate(["cc-by", "cc-by-nc-nd", "cc-by"]):
        text = f"Title {number}\n\nDOI:10.1/{number}\nLicense:{licence}\n\n"
        text += f"Abstract: The virus has {number + 20} proteins. It spreads."
        answer = f" {number + 20} proteins. "
        qas = [
            {
                "question": "How many proteins has it? ",
                "id": 10 + number,
                "answers": [{"text": answer, "answer_start": text.index(answer.strip()) + number % 2}],
                "is_impossible": False,
            },
            {
                "question": "What is nowhere?",
                "id": 20 + number,
                "answers": [{"text": "a bat", "answer_start": 3}],
                "is_impossible": False,
            },
        ]
        articles.append({"paragraphs": [{"qas": qas, "context": text, "document_id": 630 + number}]})
    return articles


def write_covid_qa(folder):
    articles = covid_articles()
    upstream = folder / "covid_qa.tar.gz"
    with tarfile.open(upstream, "w:gz") as archive:
        for name, part in (("200421", articles[:2]), ("200423", articles[2:]), ("200414", articles[:1])):
            content = json.dumps({"data": part}).encode()
            info = tarfile.TarInfo(f"COVID-QA-fb2eb5e/data/question-answering/{name}_covidQA.json")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    splits = split_by_shares(["630", "632"], (0.8, 0.1))
    kept = []
    for article in (articles[0], articles[2]):
        (paragraph,) = article["paragraphs"]
        question = {**paragraph["qas"][0], "id": str(paragraph["qas"][0]["id"])}
        text = question["answers"][0]["text"].strip()
        question |= {
            "question": question["question"].strip(),
            "answers": [{"text": text, "answer_start": paragraph["context"].index(text)}],
        }
        name = paragraph["document_id"]
        about = {"title": paragraph["context"].split("\n")[0], "document_id": name, "doi": "10.1/1", "license": "cc-by"}
        kept.append({**about, "split": splits[str(name)], "paragraphs": [{**paragraph, "qas": [question]}]})
    converted = folder / "covid_qa_ccby_squad.json.xz"
    with lzma.open(converted, "wt", encoding="utf8") as file:
        json.dump({"version": "COVID-QA cc-by subset (200421+200423)", "data": kept}, file)
    return Asset(upstream, False), Asset(converted, True)


def test_both_forms_of_the_contracts_say_the_same(tmp_path):
    upstream, converted = (list(read_cuad(asset)) for asset in write_cuad(tmp_path))
    assert upstream == converted and [article.name for article in upstream] == list(TITLES)
    assert sorted(article.split for article in upstream) == ["test", "train", "train"]
    second = upstream[1]
    assert [question["question"] for question in second.questions][:2] == [
        f"{name}: {DETAILS[name]}" for name in CATEGORIES[:2]
    ]
    parties, law = second.questions[1], second.questions[3]
    assert [answer["text"] for answer in parties["answers"]] == ["Acme 1 Inc.", "Beta LLC"]
    assert law["is_impossible"] and law["answers"] == [] and law["id"] == f"{TITLES[1]}__Governing Law"


def test_both_forms_of_the_articles_say_the_same(tmp_path):
    upstream, converted = (list(read_covid_qa(asset)) for asset in write_covid_qa(tmp_path))
    assert upstream == converted and [article.name for article in upstream] == ["630", "632"]
    (question,) = upstream[0].questions
    assert question["question"] == "How many proteins has it?"
    (answer,) = question["answers"]
    assert answer["text"] == "20 proteins." and upstream[0].text[answer["answer_start"] :].startswith("20 proteins.")


def test_documents_are_dealt_as_in_the_converted_corpora(data_dir):
    contracts = list(read_cuad(Asset(data_dir / "cuad" / "cuad_contracts.jsonl.xz", True)))
    assert split_by_shares((one.name for one in contracts), (0.7, 0.1)) == {one.name: one.split for one in contracts}
    articles = list(read_covid_qa(Asset(data_dir / "covid_qa" / "covid_qa_ccby_squad.json.xz", True)))
    assert split_by_shares((one.name for one in articles), (0.8, 0.1)) == {one.name: one.split for one in articles}
    for article in (*contracts, *articles):
        for question in article.questions:
            for answer in question["answers"]:
                assert article.text[answer["answer_start"] :].startswith(answer["text"])
    assert len(contracts) == 510 and sum(len(one.questions) for one in contracts) == 7 * 510
    assert len(articles) == 92 and sum(len(one.questions) for one in articles) == 1219


def asked(document, gold, best, null_odds, category="", quarter=0):
    return qa.Asked(document, category, quarter if gold else -1, AnsweredQuestion(gold, best, best, null_odds))


def test_scores_follow_the_threshold():
    rows = [
        asked(0, ["red apple"], "red apple", -2.0, "A", quarter=0),
        asked(0, [], "blue", 3.0, "B"),
        asked(1, ["pear"], "pear tree", 1.0, "A", quarter=3),
        asked(1, [], "plum", 2.0, "B"),
    ]
    assert qa.choose_threshold(rows) == 1.0
    found = qa.describe(rows, [10, 20], 1.0)
    scores = {name: value["score"] for name, value in found["scores"].items()}
    partial = 2 / 3
    assert scores["qa_f1"] == pytest.approx((3 + partial) / 4, abs=1e-4) and scores["qa_exact"] == 0.75
    assert scores["qa_hasans_f1"] == pytest.approx((1 + partial) / 2, abs=1e-4) and scores["qa_noans_f1"] == 1.0
    assert scores["qa_f1_threshold_0"] == 0.75 and scores["qa_f1_no_answer"] == 0.5
    assert [part["score"] for part in found["by_position"]] == [1.0, 0.0, 0.0, pytest.approx(partial, abs=1e-4)]
    assert found["by_type"]["A"]["mentions"] == 2 and found["by_type"]["B"]["score"] == 1.0
    assert found["counts"] == [[2.0, 2.0], [pytest.approx(1 + partial), 2.0]]
    alone = qa.describe([asked(0, ["x"], "", 0.0)], [3], 0.0)
    assert alone["scores"]["qa_f1"]["score"] == 0.0 and "by_type" not in alone and "qa_noans_f1" not in alone["scores"]


def test_the_workflow_from_assets_to_results(tmp_path, monkeypatch):
    """Training in this process, on a stand-in of ten contracts, with next to no time."""
    data = tmp_path / "data"
    data.mkdir()
    # A contract is too few words for a vocabulary.
    write_cuad(data, range(10), filler=" ".join(toy_texts(30)))
    monkeypatch.setenv("SPACY_BIGBIRD_DATA", str(data))
    root = make_root(tmp_path)
    settings = Settings(seconds=0.3, max_length=256)
    qa.preprocess_cuad(root, settings)
    facts = srsly.read_json(root / "corpus" / "cuad" / "split.json")["facts"]
    assert [facts[part]["documents"] for part in ("train", "dev", "test")] == [7, 1, 2]
    for system in ("strided", "truncated"):
        train("cuad", system, settings, root)
        results = evaluate("cuad", system, settings, root)
        assert results["documents"] == 2 and results["questions"] == 14
        assert 0.0 <= results["scores"]["qa_f1"]["score"] <= 1.0 and len(results["by_type"]) == 7
        assert results["training"]["steps"] >= 1 and results["speed"]["tokens"] > 0
        # The threshold is chosen once and goes with the pipeline.
        saved = spacy.load(root / "training" / f"cuad-{system}-seed0" / "pipeline").get_pipe("bigbird_span_qa")
        assert saved.settings.null_threshold == results["null_threshold"]
        assert saved.shim.config.max_position_embeddings == (162 if system == "strided" else 256)
    report = next(path for path in write_report(root, "cuad", settings) if path.suffix == ".md").read_text("utf8")
    assert "## Other scores" in report and "qa_hasans_f1" in report and "Governing Law (2)" in report


def make_root(folder):
    """A project's folder with the true configs."""

    root = folder / "project"
    root.mkdir()
    (root / "configs").symlink_to(PROJECT / "configs")
    return root
