"""The files of the page: served one by one, or put together into one that needs no server."""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files

_FOLDER = "llmd_autoscaler.page.static"
STYLE = "page.css"
# In the order in which they build on each other.
SCRIPTS = ("format.js", "figures.js", "charts.js", "overview.js", "detail.js", "app.js")
PLOTLY = "plotly.js"
# What plotly.offline.get_plotlyjs() reads, without the rest of the package.
_LIBRARY = "package_data/plotly.min.js"
_TYPES = {"css": "text/css", "js": "text/javascript"}
# plotly makes empty style elements and fills them by rules; one of its map libraries writes a text into its own,
# unless an element with this id is there
_STYLE_ID = re.compile(r'getElementById\("([0-9a-f]{64})"\)')
_GZIP_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is served."""

    name: str
    content_type: str
    body: bytes
    packed: bytes
    etag: str


def _asset(name: str, body: bytes) -> Asset:
    return Asset(
        name=name,
        content_type=_TYPES[name.rpartition(".")[2]],
        body=body,
        packed=gzip.compress(body, _GZIP_LEVEL, mtime=0),
        etag=hashlib.sha256(body).hexdigest()[:16],
    )


def _read(name: str) -> str:
    return (files(_FOLDER) / name).read_text(encoding="utf-8")


class Assets:
    """All files in memory, packed once."""

    def __init__(self) -> None:
        """Read and pack them; half a second, most of it for plotly."""
        self._template = _read("index.html")
        bodies = {name: _read(name).encode() for name in (STYLE, *SCRIPTS)}
        library = (files("plotly") / _LIBRARY).read_text(encoding="utf-8")
        bodies[PLOTLY] = library.encode()
        self._style_ids = sorted(set(_STYLE_ID.findall(library)))
        self._assets = {name: _asset(name, body) for name, body in bodies.items()}
        self.index = self._page(
            style=f'<link rel="stylesheet" href="{self._url(STYLE)}">',
            # the library last: the page is there before the charts are
            scripts="\n".join(
                f'<script defer src="{self._url(name)}"{" id=library" if name == PLOTLY else ""}></script>'
                for name in (*SCRIPTS, PLOTLY)
            ),
        ).encode()

    def get(self, name: str) -> Asset | None:
        """A file by its name."""
        return self._assets.get(name)

    def policy(self) -> str:
        """The Content-Security-Policy of the served page: nothing but what we serve."""
        return _policy("'self'", "'self'", connect="'self'")

    def saved(self, data: Mapping[str, object]) -> bytes:
        """The page as one file that holds its data and asks nobody."""
        texts = [self._assets[name].body.decode() for name in (PLOTLY, *SCRIPTS)]
        # inside a script element the text `</script` would end it, whatever it stands in
        texts = [text.replace("</script", "<\\/script") for text in texts]
        style = self._assets[STYLE].body.decode()
        body = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
        policy = _policy(_hashes(texts), _hashes([style]))
        parts = [f"<script>{text}</script>" for text in texts]
        return self._page(
            policy=f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            style=f"<style>{style}</style>",
            scripts="\n".join(
                (f'<script type="application/json" id="saved">{body}</script>', *parts)
            ),
        ).encode()

    def _page(self, *, style: str, scripts: str, policy: str = "") -> str:
        # a mark before a script is replaced last, for a script may hold anything
        marks = "".join(f'<i hidden id="{each}"></i>' for each in self._style_ids)
        page = self._template.replace("<!--policy-->", policy).replace("<!--marks-->", marks)
        return page.replace("<!--style-->", style).replace("<!--scripts-->", scripts)

    def _url(self, name: str) -> str:
        return f"static/{name}?v={self._assets[name].etag}"


def _policy(scripts: str, styles: str, *, connect: str = "'none'") -> str:
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {scripts}",
            f"style-src {styles} {_hashes([''])}",
            f"connect-src {connect}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hashes(texts: Iterable[str]) -> str:
    digests = (hashlib.sha256(text.encode()).digest() for text in texts)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
