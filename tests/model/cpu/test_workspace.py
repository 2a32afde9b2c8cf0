"""Buffers that are reused, within a limit of memory."""

import torch

from spacy_bigbird.model.cpu.workspace import Workspace


def test_workspaces_are_reused_grow_and_stay_within_the_limit():
    space = Workspace(largest=4000)
    like = torch.empty(0)
    one = space.get("one", (10, 10), like)
    assert space.get("one", (5, 20), like).data_ptr() == one.data_ptr()
    space.get("two", (400,), like)
    assert sum(kept.nbytes for kept in space.buffers.values()) == 2000
    large = space.get("three", (30, 30), like).fill_(7.0)  # in the place of the two others
    assert [key[0] for key in space.buffers] == ["three"] and one.shape == (10, 10)
    assert space.get("four", (1001,), like).shape == (1001,)
    assert [key[0] for key in space.buffers] == ["three"] and large.eq(7.0).all()


def test_workspaces_of_other_devices_are_not_kept():
    space = Workspace()
    assert space.get("one", (10,), torch.empty(0, device="meta")).is_meta and not space.buffers
