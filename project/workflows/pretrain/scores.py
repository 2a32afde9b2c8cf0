"""Evaluates how well encoders predict masked pieces of held-out articles, the same pieces for each of them."""

import math
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import srsly
import torch
from spacy.util import load_config

from spacy_bigbird.bakeoff.statistics import Counts, by_length, by_position, interval, mean
from spacy_bigbird.model import BigBirdForMaskedLM
from spacy_bigbird.pretraining.masking import PieceTable
from spacy_bigbird.scoring.masked_lm import score_guesses
from spacy_bigbird.tokenizer import BigBirdTokenizer

from ..library.corpus import SPLIT_SEED
from ..library.machines import peak_memory
from ..library.measuring import speed

QUARTERS = 4
EVALUATED, MASKED_SHARE = 200, 0.15


class Masked(NamedTuple):
    """An article with pieces to predict.

    ids (ndarray): ids of its pieces, without special ones. Shape: (pieces,).
    places (ndarray): indices of the masked pieces, ascending. Shape: (masked,).
    """

    ids: np.ndarray
    places: np.ndarray


def masked_articles(
    corpus: Path, part: str, tokenizer: BigBirdTokenizer, table: PieceTable, longest: int
) -> list[Masked]:
    """Choose the pieces to predict, the same for every system.

    corpus (Path): folder of the texts.
    part (str): the split, such as "test".
    tokenizer (BigBirdTokenizer): the tokenizer.
    table (PieceTable): its vocabulary.
    longest (int): maximum number of pieces to read of an article.
    RETURNS (list[Masked]): articles with 15% of their pieces masked, each of them independently.
    """
    texts = [row["text"] for row in srsly.read_jsonl(corpus / f"{part}.jsonl")]
    # Evenly spaced in the order of their names, which samples all subjects.
    chosen = texts[:: max(1, len(texts) // EVALUATED)][:EVALUATED]
    articles = []
    for number, ids in enumerate(tokenizer.text_ids(chosen, num_threads=1)):
        ids = np.asarray(ids)[:longest]
        ordinary = np.flatnonzero(~table.is_special[ids])
        count = round(MASKED_SHARE * len(ordinary))
        if count:
            drawn = np.random.default_rng([SPLIT_SEED, number]).choice(ordinary, count, replace=False)
            articles.append(Masked(ids, np.sort(drawn)))
    return articles


def guess(model: BigBirdForMaskedLM, article: Masked, table: PieceTable, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Predict the masked pieces of an article, which the model reads in stretches.

    model (BigBirdForMaskedLM): the model.
    article (Masked): the article.
    table (PieceTable): the vocabulary.
    length (int): length of a stretch, including [CLS] and [SEP]. Unit: pieces.
    RETURNS (tuple[ndarray, ndarray]): for each masked piece, its cost in bits, and whether it was the best prediction.
    """
    ids, room = article.ids.copy(), length - 2
    ids[article.places] = table.mask_id
    parts = [ids[start : start + room] for start in range(0, len(ids), room)]
    flat = np.concatenate([np.concatenate([[table.cls_id], part, [table.sep_id]]) for part in parts])
    rows = torch.from_numpy(article.places + 1 + 2 * (article.places // room))
    labels = torch.from_numpy(article.ids[article.places].astype(np.int64))
    device = model.lm_head.bias.device
    with torch.no_grad():
        states = model.bigbird.forward_packed(
            torch.from_numpy(flat.astype(np.int64)).to(device), [len(p) + 2 for p in parts]
        )
        nats, is_right = score_guesses(model.lm_head(states[rows.to(device)]), labels.to(device))
    return nats.cpu().numpy().astype(np.float64) / math.log(2), is_right.cpu().numpy()


def measure(folder: Path, corpus: Path, first_pieces: int | None) -> dict[str, Any]:
    """Compute the scores on the test articles; see `tasks.Task`. All systems predict the same pieces.

    folder (Path): the checkpoint, with the config of its training.
    """
    config = load_config(folder / "config.cfg")
    length = max(pieces for _, pieces in config["training"]["lengths"])
    model = BigBirdForMaskedLM.from_pretrained(folder).eval()
    tokenizer = BigBirdTokenizer.from_pretrained(folder, map_whitespace=True)
    table = PieceTable.of(tokenizer)
    longest = model.config.max_position_embeddings - 2
    articles = masked_articles(corpus, "test", tokenizer, table, longest)
    frequency = piece_frequencies(corpus, tokenizer)
    right, bits, alone, alone_bits = (np.zeros((len(articles), 2)) for _ in range(4))
    quarters = np.zeros((len(articles), QUARTERS, 2))
    start, cpu_start = time.monotonic(), time.process_time()
    for number, article in enumerate(articles):
        cost, is_right = guess(model, article, table, length)
        labels = article.ids[article.places]
        characters = float(table.characters[labels].sum())
        right[number], bits[number] = (is_right.sum(), len(labels)), (cost.sum(), characters)
        alone[number] = ((labels == frequency.argmax()).sum(), len(labels))
        alone_bits[number] = (-np.log2(frequency[labels]).sum(), characters)
        places = article.places * QUARTERS // len(article.ids)
        np.add.at(quarters[number], places, np.stack([is_right, np.ones(len(labels))], axis=1))
    cpu, wall = time.process_time() - cpu_start, time.monotonic() - start
    pieces = sum(len(article.ids) for article in articles)
    return {
        "documents": len(articles),
        "sequence_length": length,
        "scores": {"masked_accuracy": interval(right, mean), "bits_per_character": interval(bits, mean)},
        "baselines": {
            "frequency of the pieces": {
                **interval(alone, mean),
                "counts": alone.tolist(),
                "bits_per_character": interval(alone_bits, mean),
            }
        },
        "by_length": by_length(right, [len(article.ids) for article in articles], mean),
        "by_position": by_position(quarters, mean),
        "counts": right.tolist(),
        "bits": bits.tolist(),
        "speed": speed(pieces, cpu, wall),
        "memory": {"peak_mb": peak_memory()},
    }


def piece_frequencies(corpus: Path, tokenizer: BigBirdTokenizer, documents: int = 400) -> Counts:
    """RETURNS (Counts): smoothed frequency of each piece in the training texts; none is zero."""
    rows = srsly.read_jsonl(corpus / "train.jsonl")
    counts = np.ones(tokenizer.vocab_size)
    for ids in tokenizer.text_ids([row["text"] for row, _ in zip(rows, range(documents), strict=False)], num_threads=1):
        np.add.at(counts, np.asarray(ids), 1)
    return counts / counts.sum()
