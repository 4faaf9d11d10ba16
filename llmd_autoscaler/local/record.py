"""The files of `--record`: the traffic as it came, what became of each request, and every decision."""

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from llmd_autoscaler.controller.ports import Publication
from llmd_autoscaler.core.score import Answers
from llmd_autoscaler.simulator.replay import SECONDS_HEADER

REQUESTS = "requests.csv"  # `local --trace` and everything else that reads a trace takes it
OUTCOMES = "outcomes.csv"
STATUSES = "statuses.jsonl"
DECISIONS = "decisions.jsonl"  # in virtual time; with real processes controller.log has them

_OUTCOME = (*SECONDS_HEADER, "class", "first_token_s", "last_token_s", "failure")


def write_requests(
    folder: Path, answers: Answers, class_names: Sequence[str], reasons: Sequence[str]
) -> None:
    """The requests in the order of their arrival; times in seconds from the start of the replay.

    Args:
        folder: where the files go.
        answers: all that arrived.
        class_names: by index.
        reasons: of each request, why it failed; "" where it did not.
    """
    order = answers.at_s.argsort(kind="stable").tolist()
    columns = (
        answers.at_s,
        answers.isl,
        answers.osl,
        answers.class_of,
        answers.first_s,
        answers.last_s,
    )
    at_s, isl, osl, class_of, first_s, last_s = (column.tolist() for column in columns)
    with (
        (folder / REQUESTS).open("w", newline="") as trace,
        (folder / OUTCOMES).open("w", newline="") as outcomes,
    ):
        requests_out, outcomes_out = csv.writer(trace), csv.writer(outcomes)
        requests_out.writerow(SECONDS_HEADER)
        outcomes_out.writerow(_OUTCOME)
        for r in order:
            request = (f"{at_s[r]:.6f}", isl[r], osl[r])
            requests_out.writerow(request)
            outcomes_out.writerow(
                (
                    *request,
                    class_names[class_of[r]],
                    f"{first_s[r]:.6f}",
                    f"{last_s[r]:.6f}",
                    reasons[r],
                )
            )


def write_decisions(folder: Path, publications: Iterable[Publication]) -> None:
    """Every decision of a run in virtual time, one JSON line each."""
    with (folder / DECISIONS).open("w") as lines:
        for publication in publications:
            decision = publication.decision
            line = {
                "at_s": round(decision.at_s, 3),
                "decision_id": publication.decision_id,
                "desired": {target.name: target.desired for target in decision.targets},
                "load": {target.name: round(target.load, 3) for target in decision.targets},
                "usd_per_hour": decision.usd_per_hour,
                "reasons": [reason.message for reason in decision.reasons],
            }
            lines.write(json.dumps(line, separators=(",", ":")) + "\n")
