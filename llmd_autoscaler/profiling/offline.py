"""`fit`: from points files to a profile on disk, and what is said about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from llmd_autoscaler.core.variant import EngineProfile
from llmd_autoscaler.profiling.fit import Fit, fit
from llmd_autoscaler.profiling.given import Given
from llmd_autoscaler.profiling.point import Point
from llmd_autoscaler.profiling.points_file import read_points
from llmd_autoscaler.profiling.report import write_report
from llmd_autoscaler.profiling.resource import Origin, profile_text, rows_of_fit, write_profile
from llmd_autoscaler.profiling.scores import FIGURES, Judged, judge, spreads
from llmd_autoscaler.profiling.variant import Variant, resolved


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where a fit goes, and where it is talked about."""

    profile: Path
    page: Path | None
    to: TextIO


def fit_files(
    files: Sequence[Path], given: Given, outputs: Outputs, *, seed: int, now_s: float
) -> None:
    """Fit the points of some files and write the profile.

    Raises: ConfigError: a file is wrong, the points are too few, or something about the variant is not said.
    """
    points = read_points(files)
    variant, engine = resolved(given)
    names = " ".join(file.name for file in files)
    origin = Origin(
        by="llmd-autoscaler fit",
        at=wire_time(now_s),
        command=f"llmd-autoscaler fit --points {names} --out {outputs.profile.name}",
        points_file=names,
    )
    finish(points, (variant, engine), origin, outputs, seed=seed)


def finish(
    points: Sequence[Point],
    what: tuple[Variant, EngineProfile],
    origin: Origin,
    outputs: Outputs,
    *,
    seed: int,
) -> Fit:
    """Fit points, write the profile and its page, and say how good it is."""
    variant, engine = what
    fitted = fit(points, engine, seed=seed)
    write_profile(outputs.profile, profile_text(fitted, variant, origin))
    judged = judge(fitted.profile, [p for p in points if not p.trouble])
    if outputs.page is not None:
        left_out = [p for p in points if p.trouble or p.left_out]
        write_report(outputs.page, variant.name, fitted, judged, left_out)
    lines = [*summary(fitted, points), *_off(judged)]
    written = " and ".join(str(path) for path in (outputs.profile, outputs.page) if path)
    outputs.to.writelines(f"{line}\n" for line in (*lines, f"wrote {written}"))
    return fitted


def _off(judged: Sequence[Judged]) -> list[str]:
    """How far the fitted profile is from its points, a figure a line."""
    return [
        f"  {FIGURES[figure]:16} {spread.n:4} points, off by {100 * spread.median_frac:5.1f} % in the median, "
        f"{100 * spread.p95_frac:6.1f} % at p95, worst {spread.worst_point}"
        for figure, spread in spreads(judged).items()
    ]


def summary(fitted: Fit, points: Sequence[Point]) -> list[str]:
    """What a fit came to, for people."""
    n_left = sum(bool(p.left_out or p.trouble) for p in points)
    said = [
        f"{fitted.n_rows} mean steps from {fitted.n_points} points"
        + (f", {n_left} left out" if n_left else "")
        + f"; step error on unseen prompt lengths {100 * fitted.median_frac:.1f} % in the median, "
        f"{100 * fitted.p95_frac:.1f} % at p95"
    ]
    return said + [
        f"  {field:23} {value:.4g} ({low:.4g} to {high:.4g})"
        for field, value, low, high in rows_of_fit(fitted)
    ]


def wire_time(now_s: float) -> str:
    """A time as Kubernetes writes it."""
    return datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
