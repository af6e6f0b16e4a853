"""Inputs in a dict: arrays with names, cut into batches that are dicts too, as a DataLoader would give them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kadam.train.batches import ArrayBatches, Batches

Form = int | dict[str, int]  # which array stands there; or under which name which array


class NestedBatches(Batches):
    """Rows of arrays, some of which stand in dicts.

    Args:
        forms: of the entries of a batch; a single dict is the batch itself.
        flat: batches of all the arrays.
    """

    def __init__(self, forms: Sequence[Form], flat: ArrayBatches) -> None:
        self._forms = forms
        self._flat = flat
        self.batch_size = flat.batch_size

    def start(self, skip: int = 0) -> Iterator[Any]:
        return map(self._built, self._flat.start(skip))

    def __len__(self) -> int:
        return len(self._flat)

    def parted(self, share: float) -> tuple[Batches, Batches]:
        kept, held = self._flat.parted(share)
        return NestedBatches(self._forms, kept), NestedBatches(self._forms, held)

    def _built(self, flat: Sequence[Any]) -> Any:
        found = [
            flat[form] if isinstance(form, int) else {name: flat[place] for name, place in form.items()}
            for form in self._forms
        ]
        return found[0] if len(found) == 1 else found


def flattened(parts: Sequence[Any]) -> tuple[list[Form], list[Any]]:
    """How the entries of a batch are made of arrays, and these."""
    forms: list[Form] = []
    arrays: list[Any] = []
    for part in parts:
        if isinstance(part, Mapping):
            forms.append({name: len(arrays) + place for place, name in enumerate(part)})
            arrays.extend(part.values())
        else:
            forms.append(len(arrays))
            arrays.append(part)
    return forms, arrays
