"""The small API server with one model in it, as the controller's own tests have it."""

from tests.controller.conftest import world

__all__ = ["world"]
