"""The errors that cross our own doors, by who acts on them.

AutoscalerError
├── ConfigError          an operator must edit something; never retried; the CLI ends with code 2
├── ObservationError     the world could not be read this time; the next tick tries again
│   └── StaleError       it was read, but too long ago to act on
└── PlanError            no decision follows from what was read; the last one holds
    └── InfeasibleError  the SLO cannot be met within the limits, which the condition then says

Errors of a library are chained at the one module that speaks to that library and do not pass it.
"""


class AutoscalerError(Exception):
    """Anything that we raise on purpose; its text is one sentence for the person who acts on it."""


class ConfigError(AutoscalerError):
    """A file, flag or resource that somebody must edit."""


class ObservationError(AutoscalerError):
    """Something outside could not be read; the next tick tries again."""


class StaleError(ObservationError):
    """Something was read, but it is too old to act on."""


class PlanError(AutoscalerError):
    """No decision follows from the observations; the last decision holds."""


class InfeasibleError(PlanError):
    """The SLO cannot be met within the limits."""
