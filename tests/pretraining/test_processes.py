"""A process alone, and what several need. Two real processes are in test_pretraining.py."""

import sys

import pytest
import torch

from spacy_bigbird.pretraining.processes import Processes


def test_alone_everything_stays_as_it_is():
    processes = Processes("cpu")
    assert (processes.count, processes.number, processes.is_main) == (1, 0, True)
    assert processes.device == torch.device("cpu")
    module = torch.nn.Linear(2, 2)
    assert processes.prepare(module) is module
    with processes.without_sync(module):
        module(torch.ones(2)).sum().backward()
    tensor = torch.tensor([1.0, 2.0])
    assert processes.sum(tensor) is tensor
    processes.wait()
    processes.end()


def test_auto_takes_a_gpu_where_there_is_one():
    assert Processes().device.type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r"BB352.*a GPU, but there is none"):
        Processes("cuda")


def test_several_processes_need_accelerate(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(ImportError, match="BB353"):
        Processes("cpu")
