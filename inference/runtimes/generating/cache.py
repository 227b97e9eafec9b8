"""Key-value caches that rows join and leave: one layer's keys and values are [rows, heads, columns,
width], texts end at the last column, padding is on the left.
"""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

Tensor = torch.Tensor

SPARE = 32
"""Columns that a layer has room for before it is copied to a larger place."""


class GrowingLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """Writes a new column into spare room, where transformers' own copies all columns each step.

    `keys` and `values` are views of the part that is in use. Whoever sets them to something else
    (rows that leave or join) makes the next column copy them to a place with room once.
    """

    _places: list[Tensor]

    def update(
        self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor]:
        """Append columns [rows, heads, new, width]; return all keys and values."""
        if not self.is_initialized:
            _fill(self, key_states.contiguous(), value_states.contiguous())
            return self._places[0], self._places[1]
        news = (key_states, value_states)
        parts: list[Any] = [self.keys, self.values]
        grown = [self._append(at, parts[at], new) for at, new in enumerate(news)]
        self.keys, self.values = grown
        return grown[0], grown[1]

    def _append(self, at: int, part: Tensor, new: Tensor) -> Tensor:
        columns, n_new = part.shape[2], new.shape[2]
        place = self._places[at]
        is_own = place.data_ptr() == part.data_ptr() and len(place) == len(part)
        if not is_own or place.shape[2] < columns + n_new:
            rows, heads, _, width = part.shape
            place = part.new_empty((rows, heads, columns + n_new + SPARE, width))
            place[:, :, :columns] = part
            self._places[at] = place
        place[:, :, columns : columns + n_new] = new
        return place[:, :, : columns + n_new]


def fresh() -> DynamicCache:
    """Return an empty cache that keeps every column of every layer.

    Sliding windows are kept whole, too: the masks do the sliding, and rows of any length can join.
    """
    cache = DynamicCache()
    cache.layer_class_to_replicate = GrowingLayer
    return cache


def filled(cache: DynamicCache) -> list[Any]:
    """Return the layers that hold something; layers that share another's keys never do."""
    layers: list[Any] = cache.layers
    return [layer for layer in layers if layer.is_initialized]


def n_columns(cache: DynamicCache) -> int:
    layers = filled(cache)
    return int(layers[0].keys.shape[2]) if layers else 0


def pick(cache: DynamicCache, rows: Sequence[int], *, from_column: int = 0) -> DynamicCache:
    """Return a copy with these rows only, without the columns before `from_column`."""
    copy = fresh()
    layers: list[Any] = cache.layers
    for layer in layers:
        twin: Any = GrowingLayer()  # type: ignore[no-untyped-call]
        if layer.is_initialized:
            index = torch.tensor(list(rows), device=layer.keys.device)
            _fill(twin, *(each[:, :, from_column:][index] for each in (layer.keys, layer.values)))
        copy.layers.append(twin)
    return copy


def keep(
    cache: DynamicCache,
    rows: Sequence[int],
    *,
    from_column: int = 0,
    to_column: int | None = None,
) -> None:
    """Drop all other rows, and the columns outside [from_column, to_column)."""
    for layer in filled(cache):
        index = torch.tensor(list(rows), device=layer.keys.device)
        layer.keys = layer.keys[:, :, from_column:to_column][index]
        layer.values = layer.values[:, :, from_column:to_column][index]


def join(one: DynamicCache, other: DynamicCache, *, pads_left: bool) -> None:
    """Append the rows of `other` to `one`; the narrower of the two is padded with zeros."""
    ours: list[Any] = one.layers
    theirs: list[Any] = other.layers
    for layer, extra in zip(ours, theirs, strict=True):
        if layer.is_initialized:
            layer.keys = _stacked(layer.keys, extra.keys, pads_left=pads_left)
            layer.values = _stacked(layer.values, extra.values, pads_left=pads_left)


def crop(cache: DynamicCache, columns: int) -> None:
    """Forget what was written after the first `columns`; for a step that failed half way."""
    for layer in filled(cache):
        layer.keys, layer.values = layer.keys[:, :, :columns], layer.values[:, :, :columns]


def pad_columns(tensor: Tensor, columns: int, *, pads_left: bool, dim: int) -> Tensor:
    """Return `tensor` with zeros before (or after) dimension `dim` until it has `columns`."""
    missing = columns - tensor.shape[dim]
    if not missing:
        return tensor
    shape = list(tensor.shape)
    shape[dim] = missing
    zeros = tensor.new_zeros(shape)
    return torch.cat([zeros, tensor] if pads_left else [tensor, zeros], dim=dim)


def _stacked(one: Tensor, other: Tensor, *, pads_left: bool) -> Tensor:
    columns = max(one.shape[2], other.shape[2])
    return torch.cat(
        [pad_columns(each, columns, pads_left=pads_left, dim=2) for each in (one, other)]
    )


def _fill(layer: Any, keys: Tensor, values: Tensor) -> None:
    layer.lazy_initialization(keys, values)
    layer.keys, layer.values = keys, values
    layer._places = [keys, values]
