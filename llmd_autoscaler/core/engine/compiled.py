"""Compiles the engine's kernels, and makes the rows of numbers that they work on.

A kernel is written once, as plain Python over rows of floats and ints. Compiled (numba) a row is a
numpy array; with NUMBA_DISABLE_JIT=1 it is a list, which plain Python indexes five times faster than
an array. Both give the same bits: no fast-math, no fused operations, one order of evaluation.

Rules for editors: kernels index rows, never slice them; no exceptions inside; integers stay below 2^62.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba
import numpy as np

# What mypy is told: in compiled form these are numpy rows, which index and assign alike.
FloatRow = list[float]
IntRow = list[int]

P = ParamSpec("P")
R = TypeVar("R")

IS_COMPILED: bool = not numba.config.DISABLE_JIT


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a kernel on its first call and keep the machine code on disk (NUMBA_CACHE_DIR)."""
    return cast("Callable[P, R]", numba.njit(cache=True, error_model="numpy")(function))


def float_row(n: int, value: float = 0.0) -> FloatRow:
    """A row of n floats."""
    return cast(FloatRow, np.full(n, value, dtype=np.float64)) if IS_COMPILED else [value] * n


def int_row(n: int, value: int = 0) -> IntRow:
    """A row of n integers."""
    return cast(IntRow, np.full(n, value, dtype=np.int64)) if IS_COMPILED else [value] * n


def float_table(rows: int, n: int) -> list[FloatRow]:
    """A table of rows of floats, each a row for the kernels."""
    if IS_COMPILED:
        return cast("list[FloatRow]", np.zeros((rows, n), dtype=np.float64))
    return [[0.0] * n for _ in range(rows)]


def int_table(rows: int, n: int) -> list[IntRow]:
    """A table of rows of integers."""
    if IS_COMPILED:
        return cast("list[IntRow]", np.zeros((rows, n), dtype=np.int64))
    return [[0] * n for _ in range(rows)]


def as_float_row(values: "np.typing.ArrayLike") -> FloatRow:
    """A copy of some floats as a row."""
    array = np.array(values, dtype=np.float64)
    return cast(FloatRow, array if IS_COMPILED else array.tolist())


def as_int_row(values: "np.typing.ArrayLike") -> IntRow:
    """A copy of some integers as a row."""
    array = np.array(values, dtype=np.int64)
    return cast(IntRow, array if IS_COMPILED else array.tolist())


def as_list(row: FloatRow, n: int) -> list[float]:
    """The first n values of a row as Python floats."""
    return np.asarray(row[:n]).tolist() if IS_COMPILED else row[:n]
