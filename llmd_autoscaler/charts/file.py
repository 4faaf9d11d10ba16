"""Charts in one HTML file, which needs neither a server nor the internet."""

import json
from importlib.resources import files
from pathlib import Path

from plotly.offline import get_plotlyjs

from llmd_autoscaler.errors import ConfigError


def write(path: Path, package: str, template: str, data: object) -> None:
    """Fill a template and write the file.

    Args:
        package: whose folder `pages` holds the template; it says /*style*/, /*data*/ and /*plotly*/ where those go.
        data: what the template's script draws, as JSON takes it.

    Raises: ConfigError: the file cannot be written.
    """
    # `<` opens an element wherever it stands, in a script too
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    style = files(__package__).joinpath("file.css").read_text("utf-8")
    library: str = get_plotlyjs()
    page = files(package).joinpath("pages", template).read_text("utf-8")
    page = page.replace("/*style*/", style.rstrip()).replace("/*data*/", text)
    page = page.replace("/*plotly*/", library.replace("</script", "<\\/script"))
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"--report {path}: {reason}; name a file that can be written") from error
