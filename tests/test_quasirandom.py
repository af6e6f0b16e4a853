"""Sobol points: against PyTorch's, bit for bit, and against what makes them even."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kadam
from kadam.errors import UnsupportedError
from kadam.quasirandom import directions


def told(torch: Any, dimension: int, **options: Any) -> list[Any]:
    torch.manual_seed(3)
    engine = torch.quasirandom.SobolEngine(dimension, **options)
    found = [repr(engine), engine.draw(1).tolist(), engine.draw(6).tolist(), engine.num_generated]
    engine.fast_forward(11)
    found += [engine.draw(2, dtype=torch.float64).tolist(), engine.quasi.tolist(), engine.shift.tolist()]
    found += [engine.reset().draw_base2(3).tolist(), engine.sobolstate.tolist(), torch.rand(2).tolist()]
    engine.reset().fast_forward(3)
    out = torch.empty(0)
    engine.draw(2, out=out)
    return [*found, out.tolist()]


@pytest.mark.parametrize(
    ("dimension", "options"),
    [(1, {}), (3, {}), (400, {}), (3, {"scramble": True, "seed": 7}), (5, {"scramble": True})],
)
def test_points_are_pytorchs(dimension, options):
    assert told(kadam, dimension, **options) == told(pytest.importorskip("torch"), dimension, **options)


def test_points_fall_evenly():
    points = kadam.quasirandom.SobolEngine(6, scramble=True, seed=1).draw(64).numpy()
    for column in points.T:  # one in each 64th
        assert sorted(np.floor(column * 64).astype(int)) == list(range(64))


def test_wrong_uses_are_value_errors():
    engine = kadam.quasirandom.SobolEngine(2)
    for dimension in (0, 21202):
        with pytest.raises(ValueError, match="dimensionality"):
            kadam.quasirandom.SobolEngine(dimension)
    engine.draw(1)
    with pytest.raises(ValueError, match="power of 2"):
        engine.draw_base2(2)


def test_many_dimensions_need_the_whole_table(monkeypatch):
    monkeypatch.setattr(directions, "find_spec", lambda name: None)
    directions._table.cache_clear()
    with pytest.raises(UnsupportedError, match="pip install scipy"):
        kadam.quasirandom.SobolEngine(1025)
    assert kadam.quasirandom.SobolEngine(1024).draw(1).sum().item() == 0
