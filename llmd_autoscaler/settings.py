"""Every setting of the controller, parsed once; the defaults serve all models."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TickSettings:
    """How often the controller looks and decides; seconds of the process's clock."""

    # As long as the HPA's own sync period: more often could not act, less often adds to the lead time.
    period_s: float = 15.0
    # A decision may be served this long; twice the renewal below, so that one failed write loses nothing.
    valid_s: float = 600.0
    # Renewed when this much is left, although nothing changed.
    renew_at_s: float = 300.0
    # A load that moved by less is not written for itself.
    load_step_frac: float = 0.05


@dataclass(frozen=True, slots=True)
class ScrapeSettings:
    """How /metrics pages are fetched; wall seconds."""

    timeout_wall_s: float = 2.0
    # Above the largest page seen (62 kB) by two orders: what is larger is no metrics page.
    max_page_bytes: int = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Settings:
    """The tree."""

    tick: TickSettings = field(default_factory=TickSettings)
    scrape: ScrapeSettings = field(default_factory=ScrapeSettings)
