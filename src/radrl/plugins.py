"""Finds what a user names in a file or a module of their own: `path/to/file.py:attr`, `package.module:attr`.

Whoever names a plugin runs its code: only name files that you have read.
"""

import difflib
import hashlib
import importlib
import importlib.util
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from radrl.errors import PluginError

_RAISED = (Exception, SystemExit)
"""What a plugin may raise while it is imported; a script that exits must not end the run without a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Where a plugin stands.

    Example: `rewards/heart.py:mentions` is `Reference(source="/home/me/rewards/heart.py", attribute="mentions")`
    """

    source: str
    """Absolute path of a file, or dotted name of a module."""
    attribute: str
    """Name in there; dots go into classes."""

    def __str__(self) -> str:
        return f"{self.source}:{self.attribute}"

    @property
    def is_file(self) -> bool:
        """Whether the source is a file and not a module's name."""
        return self.source.endswith(".py")


def is_reference(name: str) -> bool:
    """Whether a name says where a plugin stands, and is not one that is registered here."""
    return ":" in name


def locate(text: str) -> Reference:
    """Read a reference; a relative path starts from the working directory. Nothing is opened or run.

    Raises `PluginError` for a text of another form.

    >>> locate("package.module:function")
    Reference(source='package.module', attribute='function')
    """
    source, _, attribute = text.rpartition(":")
    words = [*attribute.split("."), *(() if source.endswith(".py") else source.split("."))]
    if not source or not all(word.isidentifier() for word in words):
        raise PluginError(
            f"{text!r} does not say where a plugin stands. Write path/to/file.py:name or package.module:name."
        )
    if source.endswith(".py"):
        source = str(Path(source).expanduser().absolute())
    return Reference(source=source, attribute=attribute)


def resolve(text: str) -> object:
    """The object that a reference names; its file or module is run the first time and remembered.

    A file may import its neighbours, and a module may stand in the working directory: both folders are put at the end
    of `sys.path`. Raises `PluginError` for a missing file or module (naming the nearest file), for an error that the
    plugin raises while it is imported (naming its own line), and for a name that it does not define (naming those that
    it does).
    """
    reference = locate(text)
    module = _load_file(Path(reference.source)) if reference.is_file else _load_module(reference.source)
    found: object = module
    for name in reference.attribute.split("."):
        if not hasattr(found, name):
            raise PluginError(f"{reference.source} defines no {reference.attribute!r}. {_defined(found, name)}")
        found = getattr(found, name)
    return found


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise PluginError(f"there is no file {path}. {_nearest_file(path)}")
    real = path.resolve()
    name = f"radrl_plugin_{real.stem}_{hashlib.sha256(str(real).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, real)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    _let_import_from(real.parent)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except _RAISED as error:
        del sys.modules[name]
        raise PluginError(_failed(str(path), error)) from error
    return module


def _load_module(name: str) -> ModuleType:
    _let_import_from(Path.cwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise PluginError(
                f"there is no module {error.name!r} (from {name}). Install its package, or give path/to/file.py:name."
            ) from error
        raise PluginError(_failed(name, error)) from error
    except _RAISED as error:
        raise PluginError(_failed(name, error)) from error


def _let_import_from(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _failed(source: str, error: BaseException) -> str:
    """What a plugin raised on import, with the line of its own file where it happened."""
    line = error.lineno if isinstance(error, SyntaxError) else None
    for frame in traceback.extract_tb(error.__traceback__):
        if "importlib" not in frame.filename and frame.filename != __file__:
            source, line = frame.filename, frame.lineno
    where = f"{source}:{line}" if line else source
    return f"{where} fails when it is imported: {type(error).__name__}: {error}. Correct it, or install what it needs."


def _nearest_file(path: Path) -> str:
    names = [file.name for file in path.parent.glob("*.py")] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"Did you mean {path.parent / near[0]}?" if near else f"Relative paths start from {Path.cwd()}."


def _defined(owner: object, name: str) -> str:
    names = sorted(key for key, value in vars(owner).items() if callable(value) and not key.startswith("_"))
    near = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean {near[0]}?" if near else f"It defines: {', '.join(names) or 'nothing that can be called'}."
