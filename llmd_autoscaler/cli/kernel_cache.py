"""Where the compiled engine is kept on disk: a folder of its own for each state of the core's sources.

numba looks at the file of the function that it compiles, not at the files of what that function calls:
with one folder for all, a changed callee meets a stale caller, whose loops need not end.
"""

import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "NUMBA_CACHE_DIR"
# Tells a child that the value is resolved: it would else add a folder to the folder.
RESOLVED = "LLMD_AUTOSCALER_NUMBA_CACHE_DIR"
_CORE = Path(__file__).parents[1] / "core"
_DIGITS = 12


@contextlib.contextmanager
def kernel_cache() -> Iterator[Path]:
    """Set NUMBA_CACHE_DIR for this process and its children; must come before the core is imported.

    The folder is below $NUMBA_CACHE_DIR, or else ~/.cache/llmd-autoscaler/numba. Where it cannot be
    written, a temporary one lives as long as the context, and one line on stderr says so.
    """
    given = os.environ.get(VARIABLE, "")
    if given and given == os.environ.get(RESOLVED):
        yield Path(given)
        return
    base = Path(given) if given else _home() / "llmd-autoscaler" / "numba"
    folder = base / sources_digest(_CORE)
    why = _trouble_with(folder)
    with contextlib.ExitStack() as stack:
        if why:
            folder = Path(tempfile.mkdtemp(prefix="llmd-autoscaler-numba-"))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            sys.stderr.write(
                f"llmd-autoscaler: {base} cannot be written ({why}), so the engine is compiled anew each time: "
                f"set {VARIABLE} to a folder that can\n"
            )
        os.environ[VARIABLE] = os.environ[RESOLVED] = str(folder)
        yield folder


def sources_digest(folder: Path) -> str:
    """A name that changes with any Python file below a folder."""
    digest = hashlib.sha256()
    for source in sorted(folder.rglob("*.py")):
        content = source.read_bytes()
        digest.update(f"{source.relative_to(folder)} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:_DIGITS]


def _home() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _trouble_with(folder: Path) -> str:
    """Why nothing can be written into a folder, which is made; "" where it can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return (error.strerror or str(error)).lower()
