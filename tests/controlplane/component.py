"""The processes of a control plane: started with a log each, frozen, stopped, and never left behind."""

import contextlib
import os
import random
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"
_PROXY_VARIABLES = {"http_proxy", "https_proxy", "no_proxy", "all_proxy"}


class ControlPlaneError(RuntimeError):
    """A component did not start or died; the message holds the end of its log."""


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 below the ephemeral range, so that no outgoing connection can take one before it is used."""
    ports: list[int] = []
    while len(ports) < count:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            if port not in ports:
                ports.append(port)
    return ports


@dataclass(slots=True)
class Component:
    """One process in its own process group, its output in a log file."""

    name: str
    argv: list[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        inherited = {k: v for k, v in os.environ.items() if k.lower() not in _PROXY_VARIABLES}
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=inherited | dict(self.environment),
                cwd=self.log.parent,
            )

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def rss_bytes(self) -> int:
        assert self.process is not None
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    @property
    def cpu_seconds(self) -> float:
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def signal(self, number: int) -> None:
        if self.alive:
            assert self.process is not None
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def pause(self) -> None:
        """Freeze the process: a peer that accepts connections and never answers."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def stop(self, grace_s: float = 5.0) -> None:
        if self.process is None:
            return
        self.resume()
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self.process.wait()

    def tail(self, lines: int = 25) -> str:
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return "(no log)"


class Guard:
    """A shell that ends the components when this Python process goes away without having stopped them."""

    def __init__(self, pids: Sequence[int]) -> None:
        groups = " ".join(f"-{pid}" for pid in pids)
        self._process = subprocess.Popen(
            [
                "/bin/sh",
                "-c",
                f"read -r _ || {{ kill -TERM {groups}; sleep 5; kill -KILL {groups}; }}",
            ],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def release(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(b"\n")
            self._process.stdin.close()
        self._process.wait()


def find_binaries() -> Path:
    """The folder with the three binaries: $CONTROLPLANE_BIN, else where build.sh has put them.

    Raises: ControlPlaneError: they were not built yet; a test is not the place to spend six minutes.
    """
    if given := os.environ.get("CONTROLPLANE_BIN"):
        return Path(given)
    script = Path(__file__).with_name("build.sh")
    done = subprocess.run([script, "--where"], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise ControlPlaneError(
            "NOT TESTED against a real Kubernetes: no control plane is built on this machine; "
            "run `make e2e`, which needs Go and builds one in about 6 minutes, once"
        )
    return Path(done.stdout.strip().splitlines()[-1])
