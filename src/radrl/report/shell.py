"""What every page of this package is made with: templates, its style, and the disclaimer that stands on all of it."""

import base64
import hashlib
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

NOT_CLINICAL = "Research software, not for clinical use"

STYLES = ("page.css", "graphs.css")
"""Style sheets of a page that draws graphs, in order."""


def page_templates() -> Environment:
    """Templates that escape what is put into them, and refuse what they are not given."""
    return Environment(
        loader=PackageLoader("radrl.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def read_static(*names: str) -> str:
    """Files of `static/`, one after the other."""
    folder = files("radrl.report").joinpath("static")
    return "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)


def content_hash(text: str) -> str:
    """How a Content-Security-Policy names an inline script or style: nothing else of its kind takes effect."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"
