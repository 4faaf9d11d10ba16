"""The cheapest mix of instances that carries a demand: one small MILP a model, solved by HiGHS.

Sets: demand cells k (class x ISL cluster), targets g (a variant's scalable object), each at one tier t
(the strictest TPOT that it then serves). Variables: x[k, g, t] >= 0 routed rate, z[g, t, m] in {0, 1}
"m instances at tier t", y[k] >= 0 shed rate. Minimise cost of z + switching + penalty of y, subject to

    sum x[k] + y[k] = rate[k]                          every request goes somewhere
    sum_k work[g, k] x[k, g, t] <= sum_m cap[g, t, m] z[g, t, m]      work adds, capacity does not
    sum_k kv[g, k] x[k, g, t] <= 0.9 KV[g] sum_m m z[g, t, m]         KV memory is a row of its own
    sum_{t, m} z[g, t, m] = 1                          one size and tier a target
    accelerators in use <= stock                       of each kind
"""

from collections.abc import Sequence
from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.core.capacity import CapacityTable
from llmd_autoscaler.errors import PlanError

Array = NDArray[np.float64]

# KV above this share queues requests in the engine before it is full: blocks are allotted whole.
KV_USABLE_FRAC = 0.9
# A change of one instance must be worth 2 % of its price: equal mixes should not alternate.
SWITCHING_FRAC = 0.02
# Shedding a unit of work costs as much as this many times the dearest capacity for it, and more by priority.
SHED_FACTOR = 100.0
# The gap at which HiGHS stops: far below the price of an instance.
GAP_FRAC = 1e-4
SOLVE_LIMIT_S = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class TierOption:
    """One target at one tier."""

    tier_s: float
    capacity: CapacityTable
    is_allowed: NDArray[
        np.bool_
    ]  # (cell,) whether the tier is strict enough and the bound within reach


@dataclass(frozen=True, slots=True, eq=False)
class TargetOption:
    """One scalable object and what it could do."""

    name: str
    accelerator: str
    n_accelerators: int
    usd_per_hour: float
    min_instances: int
    max_instances: int
    present_instances: int
    work_s: Array  # (cell,) engine seconds of one request
    kv_token_s: Array  # (cell,) tokens of KV held times seconds, by one request
    kv_tokens: int
    tiers: tuple[TierOption, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """What has to be served."""

    rate_qps: Array  # (cell,)
    priority: Array  # (cell,) higher is shed later


@dataclass(frozen=True, slots=True, eq=False)
class Mix:
    """An answer: sizes, tiers, who serves which cell, and what is left over."""

    instances: tuple[int, ...]  # (target,)
    tier: tuple[int, ...]  # (target,) index into its tiers
    routed_qps: Array  # (target, cell)
    shed_qps: Array  # (cell,)
    usd_per_hour: float


@dataclass(frozen=True, slots=True)
class _Column:
    """Where the columns of one (target, tier) stand."""

    target: int
    tier: int
    first_x: int
    first_z: int
    sizes: range


class _Rows:
    """Rows of the constraint matrix, as HiGHS takes them."""

    def __init__(self) -> None:
        self.start: list[int] = [0]
        self.index: list[int] = []
        self.value: list[float] = []
        self.lower: list[float] = []
        self.upper: list[float] = []

    def add(
        self,
        terms: Sequence[tuple[int, float]],
        *,
        lower: float = -highspy.kHighsInf,
        upper: float = highspy.kHighsInf,
    ) -> None:
        """A row: lower <= sum of coefficient * column <= upper."""
        self.index += [column for column, _ in terms]
        self.value += [value for _, value in terms]
        self.start.append(len(self.index))
        self.lower.append(lower)
        self.upper.append(upper)


def cheapest_mix(
    demand: Demand, targets: Sequence[TargetOption], stock: dict[str, int] | None = None
) -> Mix:
    """Solve the MILP above.

    Args: stock: accelerators of each kind that these targets may use; a kind that is absent is unlimited.
    Returns: the mix; what cannot be carried within the limits stands in `shed_qps`, never an error.
    Raises: PlanError: HiGHS found no solution, which the formulation rules out unless the minimum exceeds the stock.
    """
    n_cells = len(demand.rate_qps)
    columns: list[_Column] = []
    n_columns = n_cells  # y first
    for g, target in enumerate(targets):
        for t in range(len(target.tiers)):
            sizes = range(target.min_instances, target.max_instances + 1)
            columns.append(_Column(g, t, n_columns, n_columns + n_cells, sizes))
            n_columns += n_cells + len(sizes)
    cost, upper, is_integer = _columns(demand, targets, columns, n_columns)
    rows = _rows(demand, targets, columns, stock or {})
    values = _solve(cost, upper, is_integer, rows)
    return _read(values, targets, columns, n_cells)


def _columns(
    demand: Demand, targets: Sequence[TargetOption], columns: Sequence[_Column], n_columns: int
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Cost, upper bound and integrality of every column."""
    n_cells = len(demand.rate_qps)
    cost, upper = np.zeros(n_columns), np.full(n_columns, highspy.kHighsInf)
    is_integer = np.zeros(n_columns, dtype=np.bool_)
    upper[:n_cells] = demand.rate_qps
    dearest = np.zeros(n_cells)
    for column in columns:
        target = targets[column.target]
        option = target.tiers[column.tier]
        x = slice(column.first_x, column.first_x + n_cells)
        upper[x] = np.where(option.is_allowed, demand.rate_qps, 0.0)
        carried = max(option.capacity.carried(1), 1e-3)
        dearest = np.maximum(dearest, target.work_s * target.usd_per_hour / carried)
        sizes = np.array(column.sizes, dtype=np.float64)
        z = slice(column.first_z, column.first_z + len(sizes))
        switching = SWITCHING_FRAC * np.abs(sizes - target.present_instances)
        cost[z] = target.usd_per_hour * (sizes + switching)
        upper[z] = 1.0
        is_integer[z] = True
        # A strict tier that nobody needs wastes capacity: between equals take the looser.
        cost[z] += 1e-6 * column.tier
    cost[:n_cells] = SHED_FACTOR * dearest * (1.0 + np.maximum(demand.priority, 0.0) / 100.0)
    return cost, upper, is_integer


def _rows(
    demand: Demand,
    targets: Sequence[TargetOption],
    columns: Sequence[_Column],
    stock: dict[str, int],
) -> _Rows:
    """The constraints in the order of the module's list."""
    rows = _Rows()
    n_cells = len(demand.rate_qps)
    for k in range(n_cells):
        rate = float(demand.rate_qps[k])
        rows.add([(k, 1.0), *[(c.first_x + k, 1.0) for c in columns]], lower=rate, upper=rate)
    for c in columns:
        target = targets[c.target]
        capacity = target.tiers[c.tier].capacity
        sizes = [(c.first_z + i, m) for i, m in enumerate(c.sizes)]
        work = [(c.first_x + k, float(target.work_s[k])) for k in range(n_cells)]
        rows.add([*work, *[(z, -capacity.carried(m)) for z, m in sizes]], upper=0.0)
        held = [(c.first_x + k, float(target.kv_token_s[k])) for k in range(n_cells)]
        rows.add(
            [*held, *[(z, -KV_USABLE_FRAC * target.kv_tokens * m) for z, m in sizes]], upper=0.0
        )
    for g in range(len(targets)):
        rows.add(
            [(c.first_z + i, 1.0) for c in columns if c.target == g for i in range(len(c.sizes))],
            lower=1.0,
            upper=1.0,
        )
    for accelerator, limit in sorted(stock.items()):
        used = [
            (c.first_z + i, float(m * targets[c.target].n_accelerators))
            for c in columns
            if targets[c.target].accelerator == accelerator
            for i, m in enumerate(c.sizes)
        ]
        rows.add(used, upper=float(limit))
    return rows


def _solve(cost: Array, upper: Array, is_integer: NDArray[np.bool_], rows: _Rows) -> Array:
    """Run HiGHS; the one place that speaks to it."""
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(cost), len(rows.lower)
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = cost, np.zeros(len(cost)), upper
    lp.row_lower_, lp.row_upper_ = np.array(rows.lower), np.array(rows.upper)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = np.array(rows.start), np.array(rows.index)
    lp.a_matrix_.value_ = np.array(rows.value)
    lp.integrality_ = [
        highspy.HighsVarType.kInteger if i else highspy.HighsVarType.kContinuous for i in is_integer
    ]
    # The public class prints a banner when it is made (1.16), whatever the options: a CLI's output is not its place.
    solver = highspy._core._Highs()  # noqa: SLF001
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("mip_rel_gap", GAP_FRAC)
    solver.setOptionValue("time_limit", SOLVE_LIMIT_S)
    solver.passModel(lp)
    solver.run()
    if solver.getInfo().primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        status = solver.modelStatusToString(solver.getModelStatus())
        raise PlanError(
            f"no mix of instances found: HiGHS says {status}; the minimum of the targets exceeds the stock"
        )
    return np.asarray(solver.getSolution().col_value, dtype=np.float64)


def _read(
    values: Array, targets: Sequence[TargetOption], columns: Sequence[_Column], n_cells: int
) -> Mix:
    """The mix that a solution says."""
    instances, tier = [0] * len(targets), [0] * len(targets)
    routed = np.zeros((len(targets), n_cells))
    for c in columns:
        z = values[c.first_z : c.first_z + len(c.sizes)]
        if z.max(initial=0.0) > 0.5:  # noqa: PLR2004 (a binary, within HiGHS's tolerance)
            instances[c.target], tier[c.target] = c.sizes[int(z.argmax())], c.tier
            routed[c.target] = np.maximum(values[c.first_x : c.first_x + n_cells], 0.0)
    usd = sum(m * target.usd_per_hour for m, target in zip(instances, targets, strict=True))
    return Mix(tuple(instances), tuple(tier), routed, np.maximum(values[:n_cells], 0.0), usd)
