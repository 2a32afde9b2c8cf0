"""Encode long documents with character offsets: BigBirdTokenizer against transformers' BigBirdTokenizerFast.

Both get the same texts, use the same number of threads and return ids and offsets as lists. Google's vocabulary and
the documents are read from the folder named by SPACY_BIGBIRD_DATA.

    python benchmarks/tokenizer.py --texts 1000 --json tokenizer.json --plot tokenizer.png
"""

import os
import time

import common

from spacy_bigbird.tokenizer import BigBirdTokenizer


def main() -> None:
    options_parser = common.parser(__doc__)
    options_parser.add_argument("--texts", type=int, default=1000, help="number of documents")
    options_parser.add_argument("--min-characters", type=int, default=10_000, help="skip shorter documents")
    options = options_parser.parse_args()
    # The Rust library reads it when its thread pool starts.
    os.environ["RAYON_NUM_THREADS"] = str(options.threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    import transformers

    folder = common.data_dir()
    texts = common.real_texts(folder, options.texts, options.min_characters)
    vocabulary = str(folder / "vocab" / "gpt2.model")
    start = time.perf_counter()
    ours = BigBirdTokenizer(vocabulary)
    seconds_to_load = time.perf_counter() - start
    fast = transformers.BigBirdTokenizerFast(vocabulary, model_max_length=10**9)

    def encode_ours() -> list[tuple[list[int], list[tuple[int, int]]]]:
        encodings = ours.batch(texts, num_threads=options.threads)
        return [(encoding.ids, encoding.offsets) for encoding in encodings]

    cases = {
        "BigBirdTokenizer": encode_ours,
        "BigBirdTokenizerFast": lambda: fast(texts, return_offsets_mapping=True),
        "BigBirdTokenizer, as arrays": lambda: ours.text_pieces(texts, options.threads),
        "BigBirdTokenizer, ids alone": lambda: ours.text_ids(texts, options.threads),
        "BigBirdTokenizerFast, ids alone": lambda: fast(texts),
    }
    same = ours.batch(texts[:50]), fast(texts[:50])["input_ids"]
    if [encoding.ids for encoding in same[0]] != same[1]:
        raise SystemExit("The two tokenizers do not agree on the ids: there is nothing to compare.")
    timings = common.interleaved(cases, repeats=options.repeats)
    characters, pieces = sum(map(len, texts)), sum(map(len, ours.text_ids(texts)))
    rows = [
        {
            "case": name,
            "seconds": timing.median,
            "spread": timing.spread,
            "M characters/s": characters / timing.median / 1e6,
            "M pieces/s": pieces / timing.median / 1e6,
            "times the fast one": timing.times_faster_than(timings["BigBirdTokenizerFast"]),
        }
        for name, timing in timings.items()
    ]

    def draw(axes) -> None:
        axes.barh([row["case"] for row in rows], [row["M characters/s"] for row in rows])
        axes.invert_yaxis()
        axes.set_xlabel("million characters per second")

    notes = [
        f"{len(texts):,} documents, {characters:,} characters, {pieces:,} pieces.",
        f"Medians of {options.repeats} rounds, with the cases run in turns.",
        f"Loading Google's vocabulary takes {seconds_to_load:.2f} s.",
    ]
    report_columns = ["case", "seconds", "spread", "M characters/s", "M pieces/s", "times the fast one"]
    common.report("Tokenizer: long documents with character offsets", options, report_columns, rows, draw, notes)


if __name__ == "__main__":
    main()
