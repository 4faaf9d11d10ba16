"""What must stand before any benchmark imports the core: kernels compiled from these very sources, not from older ones."""

import atexit
import contextlib

from llmd_autoscaler.cli.kernel_cache import kernel_cache

_open = contextlib.ExitStack()
_open.enter_context(kernel_cache())
atexit.register(_open.close)
