"""The lag of this process's event loop: on a compressed clock it looks like latency, times the speed."""

import asyncio
import time

_EVERY_WALL_S = 0.02


class LagMeter:
    """Measures by how much a short sleep oversleeps."""

    def __init__(self) -> None:
        self._lags_s: list[float] = []

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(_EVERY_WALL_S)
            self._lags_s.append(max(0.0, time.perf_counter() - before - _EVERY_WALL_S))

    def p99_s(self) -> float:
        """The 99th percentile in wall seconds; 0 before anything was measured."""
        if not self._lags_s:
            return 0.0
        ordered = sorted(self._lags_s)
        return ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
