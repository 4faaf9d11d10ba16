"""Debian's Chromium without a screen, driven by selenium; nothing but loopback is asked."""

import base64
import contextlib
import json
import struct
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # in a container of root there is none
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-precise-memory-info",
)
_PHONE_PX = 500
_CHUNK = struct.Struct(">I4s")


class Browser:
    """One window."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def run(self, script: str, *arguments: object) -> object:
        """What a script returns."""
        found: object = self.driver.execute_script(script, *arguments)
        return found

    def number(self, script: str) -> float:
        """The number that a script returns."""
        found = self.run(script)
        if not isinstance(found, int | float):
            raise TypeError(f"{script} is {found!r}, which is no number")
        return float(found)

    def command(self, name: str, **parameters: object) -> object:
        """What a command of the developer protocol returns."""
        found: object = self.driver.execute_cdp_cmd(name, parameters)
        return found

    def resize(self, width_px: int, height_px: int) -> None:
        """The size of what the page sees; a narrow one is a phone."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width_px,
            height=height_px,
            deviceScaleFactor=1,
            mobile=width_px < _PHONE_PX,
        )

    def prefer(self, **features: str) -> None:
        """What the reader prefers, such as `prefers_color_scheme="dark"`."""
        listed = [{"name": k.replace("_", "-"), "value": v} for k, v in features.items()]
        self.command("Emulation.setEmulatedMedia", features=listed)

    def picture(self, width_px: int, height_px: int) -> bytes:
        """The top of the page as PNG, packed as small as it gets."""
        clip = {"x": 0, "y": 0, "width": width_px, "height": height_px, "scale": 1}
        found = self.command(
            "Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip
        )
        assert isinstance(found, dict)  # noqa: S101 (the protocol says so)
        return _packed(base64.b64decode(str(found["data"])))

    def complaints(self) -> list[str]:
        """What the console said since it was asked last."""
        return self._log("browser")

    def requests(self) -> list[str]:
        """The addresses that were asked for since this was asked last."""
        found = []
        for entry in self._log("performance"):
            message = json.loads(entry)["message"]
            if message["method"] == "Network.requestWillBeSent":
                found.append(str(message["params"]["request"]["url"]))
        return found

    def _log(self, kind: str) -> list[str]:
        """What a log of the browser has gathered since it was read last."""
        answer = self.driver.execute("getLog", {"type": kind})
        return [str(entry["message"]) for entry in answer["value"]]


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A browser with a profile of its own, while the context lasts.

    Raises: FileNotFoundError: there is none on this machine.
    """
    for path in (CHROMIUM, DRIVER):
        if not path.exists():
            raise FileNotFoundError(
                f"{path} is missing: install it, on Debian by `apt-get install chromium chromium-driver`"
            )
    with tempfile.TemporaryDirectory(prefix="chromium-") as profile:
        options = Options()
        options.binary_location = str(CHROMIUM)
        for flag in (*_FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
        try:
            yield Browser(driver)
        finally:
            driver.quit()


def _packed(png: bytes) -> bytes:
    """The same picture with its pixels packed harder: the browser packs fast, not small."""
    head, pixels, place = png[:8], b"", 8
    kept: list[tuple[bytes, bytes]] = []
    while place < len(png):
        n_bytes, kind = _CHUNK.unpack_from(png, place)
        body = png[place + 8 : place + 8 + n_bytes]
        place += 12 + n_bytes
        if kind == b"IDAT":
            pixels += body
        else:
            kept.append((kind, body))
    kept.insert(-1, (b"IDAT", zlib.compress(zlib.decompress(pixels), 9)))
    chunks = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in kept
    )
    return head + b"".join(chunks)
