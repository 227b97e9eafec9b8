"""Caches with spare room hold what transformers' own hold, whatever joins, leaves or fails."""

import random
from typing import Any

import torch
from transformers import DynamicCache

from inference.runtimes.generating import cache as caches

WIDTH, HEADS, LAYERS = 4, 2, 2


def grow(cache: Any, n_rows: int, n_new: int, random_: torch.Generator) -> None:
    for layer in range(LAYERS):
        new = torch.randn((2, n_rows, HEADS, n_new, WIDTH), generator=random_)
        cache.update(new[0], new[1], layer)


def same(one: Any, other: Any) -> bool:
    return all(
        torch.equal(a.keys, b.keys) and torch.equal(a.values, b.values)
        for a, b in zip(one.layers, other.layers, strict=True)
    )


def test_a_growing_cache_equals_a_copying_one() -> None:
    for seed in range(20):
        chance = random.Random(seed)
        ours, theirs = caches.fresh(), DynamicCache()
        n_rows = chance.randrange(2, 6)
        for _ in range(120):
            noise = chance.randrange(2**31)
            n_new = chance.choice((1, 1, 1, 5))
            for cache in (ours, theirs):
                grow(cache, n_rows, n_new, torch.Generator().manual_seed(noise))
            columns = caches.n_columns(ours)
            if chance.random() < 0.1 and columns > 4:
                for cache in (ours, theirs):
                    caches.crop(cache, columns - 2)
            elif chance.random() < 0.1:
                kept = [row for row in range(n_rows) if chance.random() < 0.8] or [0]
                for cache in (ours, theirs):
                    caches.keep(cache, kept, from_column=min(3, columns - 1))
                n_rows = len(kept)
            elif chance.random() < 0.1:
                twins = caches.pick(ours, [0, n_rows - 1], from_column=1), None
                caches.join(ours, twins[0], pads_left=True)
                caches.join(theirs, twins[0], pads_left=True)
                n_rows += 2
            assert same(ours, theirs)
            if n_rows > 12:
                for cache in (ours, theirs):
                    caches.keep(cache, range(4))
                n_rows = 4


def test_a_picked_copy_does_not_change_with_its_origin() -> None:
    noise = torch.Generator().manual_seed(0)
    cache = caches.fresh()
    grow(cache, 3, 4, noise)
    copy = caches.pick(cache, range(3))
    before = [layer.keys.clone() for layer in copy.layers]
    grow(cache, 3, 1, noise)
    caches.crop(cache, 2)
    grow(cache, 3, 1, noise)
    assert all(torch.equal(a, b.keys) for a, b in zip(before, copy.layers, strict=True))


def test_a_joined_row_is_padded_on_the_side_that_is_asked_for() -> None:
    noise = torch.Generator().manual_seed(0)
    wide, narrow = caches.fresh(), caches.fresh()
    grow(wide, 1, 5, noise)
    grow(narrow, 1, 2, noise)
    own = narrow.layers[0].keys.clone()
    caches.join(wide, narrow, pads_left=True)
    assert torch.equal(wide.layers[0].keys[1:, :, 3:], own)
    assert not wide.layers[0].keys[1, :, :3].any()
