"""Whether virtual time tells the truth: `python -m benchmarks.local`, about seven minutes.

The default run twice with the same seed, once with real processes (router, simulated servers,
controller, adapter, API server and HPA on loopback), once in virtual time in one process.
"""

import argparse
import json
import subprocess
import sys

from benchmarks.report import Figure, print_report

# Two programs that share an engine but not a clock, a network or an event loop.
ATTAINMENT_POINTS = 1.0
GPU_HOURS_FRAC = 0.03
INTERACTIVE_TARGET_FRAC = 0.99


def local(*flags: str) -> dict[str, object]:
    """The last line of a run; its progress goes to stderr."""
    process = subprocess.Popen(
        [sys.executable, "-m", "llmd_autoscaler", "local", "--json", *flags],
        stdout=subprocess.PIPE,
        text=True,
    )
    last = ""
    assert process.stdout is not None  # noqa: S101 (it is a pipe)
    for line in process.stdout:
        print(f"  {line.rstrip()}", file=sys.stderr)
        last = line if line.startswith("{") else last
    if process.wait() != 0 or not last:
        raise SystemExit(f"llmd-autoscaler local {' '.join(flags)} ended with {process.returncode}")
    found: dict[str, object] = json.loads(last)
    return found


def number(found: dict[str, object], *path: str) -> float:
    """One figure of a run."""
    value: object = found
    for name in path:
        assert isinstance(value, dict)  # noqa: S101 (the shape of --json)
        value = value[name]
    assert isinstance(value, (int, float))  # noqa: S101
    return float(value)


def main() -> int:
    """Run both and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--until", type=float, default=None, help="seconds of the trace; default: all"
    )
    options = parser.parse_args()
    flags = ["--seed", str(options.seed)]
    flags += [] if options.until is None else ["--until", str(options.until)]
    print("in virtual time ...", file=sys.stderr)
    virtual = local("--virtual", *flags)
    print("with real processes ...", file=sys.stderr)
    real = local(*flags)
    classes = virtual["attainment"]
    assert isinstance(classes, dict)  # noqa: S101
    apart = [
        abs(number(real, "attainment", c) - number(virtual, "attainment", c)) * 100 for c in classes
    ]
    hours = abs(number(real, "gpu_hours") / number(virtual, "gpu_hours") - 1.0)
    figures = [
        Figure(
            name="attainment, real against virtual, worst class",
            value=max(apart),
            unit="points",
            at_most=ATTAINMENT_POINTS,
        ),
        Figure(
            name="GPU-hours, real against virtual", value=hours, unit="frac", at_most=GPU_HOURS_FRAC
        ),
        Figure(
            name="attainment of interactive, real",
            value=number(real, "attainment", "interactive"),
            unit="frac",
            at_least=INTERACTIVE_TARGET_FRAC,
        ),
        Figure(
            name="requests failed, real", value=number(real, "failed"), unit="requests", at_most=0
        ),
        Figure(
            name="first decision, real",
            value=number(real, "first_decision_s"),
            unit="s",
            at_most=90.0,
        ),
    ]
    beside = [
        Figure(name=f"{key}, {name}", value=number(found, key), unit=unit)
        for key, unit in (
            ("requests", "requests"),
            ("gpu_hours", "h"),
            ("static_gpu_hours", "h"),
            ("lookahead_gpu_hours", "h"),
            ("scaling_events", "events"),
            ("reversals", "reversals"),
            ("wall_s", "s"),
            ("lag_p99_s", "s"),
        )
        for name, found in (("real", real), ("virtual", virtual))
        # a bound that misses the SLO itself is none
        if found[key] is not None
    ]
    return 0 if print_report("local", figures, beside) else 1


if __name__ == "__main__":
    sys.exit(main())
