"""Whether a published number may be acted on: the rule of `models.servable`, for those who hold a decisionID."""

from llmd_autoscaler.errors import StaleError
from models.decision_id import DecisionId
from models.servable import servable


def check_servable(
    decision_id: str, *, newest_epoch: int, valid_until_s: float, now_s: float
) -> None:
    """Pass when the adapter would serve the value.

    Raises: StaleError: it is of an older leader or has run out.
    """
    epoch = DecisionId.parse(decision_id).epoch
    if not servable(
        epoch=epoch, newest_epoch=newest_epoch, valid_until_s=valid_until_s, now_s=now_s
    ):
        raise StaleError(
            f"decision {decision_id} may not be served at {now_s:.0f}: valid until {valid_until_s:.0f}, newest epoch {newest_epoch}"
        )
