"""Results within a limit of memory, for all threads."""

import threading

from spacy_bigbird.plan import pattern
from spacy_bigbird.plan.bounded_cache import BoundedCache
from spacy_bigbird.plan.config import BigBirdConfig


def test_what_was_used_last_stays_within_the_limit():
    cache = BoundedCache(10, len)
    computed = []

    def get(key, size):
        return cache.get(key, lambda: computed.append(key) or "x" * size)

    assert get("a", 4) == "xxxx" and get("b", 4) == "xxxx" and get("a", 4) == "xxxx"
    get("c", 4)  # in the place of b
    assert cache.size == 8 and computed == ["a", "b", "c"]
    get("a", 4), get("b", 4)
    assert computed == ["a", "b", "c", "b"]
    # What would fit alone in no place takes none.
    assert get("huge", 11) == "x" * 11 and cache.find("huge") is None and cache.size == 8
    cache.put("a", "y" * 6)
    assert cache.find("a") == "y" * 6 and cache.size == 10
    cache.put("a", "y" * 11)
    assert cache.find("a") is None and cache.find("b") == "xxxx" and cache.size == 4


def test_threads_share_it():
    cache = BoundedCache(1000, len)
    threads = [threading.Thread(target=lambda: [cache.get(n % 7, lambda: "x" * 200) for n in range(300)])] * 1
    threads += [threading.Thread(target=lambda: [cache.get(n % 5, lambda: "x" * 200) for n in range(300)])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.size <= 1000


def test_tables_of_many_lengths_stay_within_the_limit(monkeypatch):
    cache = BoundedCache(2**18, lambda keys: keys.blocks.nbytes)
    monkeypatch.setattr(pattern, "_tables", cache)
    config = BigBirdConfig(hidden_size=64, num_attention_heads=4)
    for blocks in range(5, 120):
        assert pattern.key_blocks(config, 0, blocks, blocks) is pattern.key_blocks(config, 0, blocks, blocks)
        assert cache.size <= 2**18
    assert cache.size > 2**17
