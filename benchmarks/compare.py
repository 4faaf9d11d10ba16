"""Our controller beside what people do today: `python -m benchmarks.compare`, under ten minutes on two cores.

Every policy plays the same traffic in virtual time, through the same cluster, HPA and router. Simple laws
are quoted at the best of all settings that were tried, on this very traffic. Defaults of ours were tuned on seeds
of the Azure trace, never on what is reported here.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.compare_cases import SEEDS, cases
from benchmarks.compare_document import write_document
from benchmarks.compare_plan import Key, Ticker, played
from benchmarks.compare_verdict import Verdict, beside, best_fixed, figures, swept
from benchmarks.report import print_report
from llmd_autoscaler.cli.kernel_cache import kernel_cache

_DOCS = Path(__file__).parents[1] / "docs"


def main() -> int:
    """Compare, write the document, and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed, and no hours of traffic")
    parser.add_argument("--case", nargs="+", metavar="NAME", help="only these; writes no document")
    options = parser.parse_args()
    chosen = [
        case
        for case in cases()
        if (case.name in options.case if options.case else not (options.quick and case.is_long))
    ]
    seeds = SEEDS[:1] if options.quick else SEEDS
    keys = [Key(case, seed) for case in chosen for seed in seeds]
    ticker = Ticker(lambda line: print(line, file=sys.stderr, flush=True))
    ticker.show(f"drawing the traffic of {len(keys)} runs ...")
    setups = {key.text: key.case.setup(key.seed) for key in keys}
    found = played(keys, setups, ticker.show)
    verdicts = [
        Verdict(case, tuple(found[Key(case, seed).text] for seed in seeds)) for case in chosen
    ]
    write_document(None if options.case or options.quick else _DOCS, verdicts, sys.stdout)
    return (
        0
        if print_report(
            "compare", list(figures(verdicts)), list(beside(verdicts, best_fixed(swept(verdicts))))
        )
        else 1
    )


if __name__ == "__main__":
    with kernel_cache():
        sys.exit(main())
