"""The last six hours of every model as rows of small floats; full, it forgets the oldest moment."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]
Rows = NDArray[np.float32]

N_KEPT = 1440  # 6 h at a tick of 15 s
# As told: who asks for what came after a moment that it was told must not be told it again.
_TIME_DIGITS = 1
_DIGITS = 4  # more would be noise on a chart, and bytes on the wire


class History:
    """One time axis for all models; each has one row a series. NaN is "not known"."""

    def __init__(self, n_kept: int = N_KEPT) -> None:
        self._n_kept = n_kept
        # twice as long as kept: it is cut once in n_kept moments, not at every one
        self._times_s: Times = np.full(2 * n_kept, np.nan)
        self._n = 0
        self._places: dict[str, dict[str, int]] = {}  # by model: the row of each series
        self._rows: dict[str, Rows] = {}

    @property
    def last_s(self) -> float:
        """The last moment; 0 before the first."""
        return float(self._times_s[self._n - 1]) if self._n else 0.0

    def append(self, at_s: float, values: Mapping[str, Mapping[str, float]]) -> None:
        """One moment: values by model and series. A moment before the last one is left out."""
        at_s = round(at_s, _TIME_DIGITS)
        if at_s <= self.last_s:
            return
        if self._n == len(self._times_s):
            self._cut()
        self._times_s[self._n] = at_s
        for key, series in values.items():
            rows, places = self._room(key, series)
            for name, value in series.items():
                rows[places[name], self._n] = value
        self._n += 1

    def keep_only(self, keys: AbstractSet[str]) -> None:
        """Forget the models that are not among these."""
        for key in self._rows.keys() - keys:
            del self._rows[key], self._places[key]

    def since(self, key: str, after_s: float = 0.0) -> dict[str, object]:
        """`{"t": seconds, "series": {name: values}}` of a model after a moment; null is "not known"."""
        first = max(0, self._n - self._n_kept)
        first += int(np.searchsorted(self._times_s[first : self._n], after_s, side="right"))
        rows = self._rows.get(key)
        series = (
            {}
            if rows is None
            else {
                name: _short(rows[place, first : self._n])
                for name, place in self._places[key].items()
            }
        )
        return {"t": self._times_s[first : self._n].tolist(), "series": series}

    def _room(self, key: str, series: Mapping[str, float]) -> tuple[Rows, dict[str, int]]:
        """The rows of a model, with one for each of these series."""
        places = self._places.setdefault(key, {})
        new = [name for name in series if name not in places]
        if new:
            places.update({name: len(places) + i for i, name in enumerate(new)})
            added = np.full((len(new), len(self._times_s)), np.nan, dtype=np.float32)
            old = self._rows.get(key)
            self._rows[key] = added if old is None else np.vstack((old, added))
        return self._rows[key], places

    def _cut(self) -> None:
        kept, end = self._n_kept, self._n
        self._times_s[:kept] = self._times_s[end - kept : end]
        self._times_s[kept:] = np.nan
        for rows in self._rows.values():
            rows[:, :kept] = rows[:, end - kept : end]
            rows[:, kept:] = np.nan
        self._n = kept


def _short(values: Rows) -> list[float | None]:
    """Values of four digits; a whole one is written without a point."""
    return [None if v != v else _rounded(v) for v in values.tolist()]  # noqa: PLR0124 (NaN alone differs from itself)


def _rounded(value: float) -> float:
    short = float(f"{value:.{_DIGITS}g}")
    return int(short) if short.is_integer() else short
