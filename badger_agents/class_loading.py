"""From a name in a file to a class: the one place where what is loaded becomes code (contract 6)."""

import ast
import hashlib
import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

PROJECT_PACKAGES = ("badger_envs", "badger_agents", "baselines")
"""Packages whose classes any file may name."""

_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_FILE_CLASS = re.compile(r"(?P<file>.+\.py):(?P<name>[A-Za-z_]\w*)", re.DOTALL)


@dataclass(frozen=True)
class Trust:
    """Whose code may be loaded, beside the project's own: what the user named on the command line.

    It is handed down as an argument: `load_recipe` and `load_checkpoint` take it, and `Settings` keep the one
    under which they were checked.

    Attributes:
        packages: top-level packages, such as "my_package".
        files: Python files; they are meant wherever they are named from.
        folders: folders whose own Python files may be loaded, such as a run folder with a copy of a policy.
    """

    packages: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()

    @classmethod
    def of(cls, *names: str | Path) -> "Trust":
        """Trust in what a user names: "my_file.py", "my_file.py:MyPolicy", "my_package", "my_package.x:Y".

        A folder is meant by a `Path`, or a name with a "/".
        """
        packages, files, folders = [], [], []
        for name in names:
            place = file_of(str(name)) or Path(name)
            if place.suffix == ".py":
                files.append(place.resolve())
            elif isinstance(name, Path) or "/" in name:
                folders.append(place.resolve())
            else:
                packages.append(name.partition(":")[0].partition(".")[0])
        return cls(tuple(packages), tuple(files), tuple(folders))

    def __or__(self, other: "Trust") -> "Trust":
        """Trust in what either trusts."""
        return Trust(
            tuple(dict.fromkeys(self.packages + other.packages)),
            tuple(dict.fromkeys(self.files + other.files)),
            tuple(dict.fromkeys(self.folders + other.folders)),
        )

    def has_package(self, module: str) -> bool:
        """Whether a module is of the project or of a package that the user named."""
        return module.partition(".")[0] in (*PROJECT_PACKAGES, *self.packages)

    def has_file(self, file: Path) -> bool:
        """Whether the user named a file, or the folder that it lies in."""
        file = file.resolve()
        return file in [each.resolve() for each in self.files] or file.parent in [
            each.resolve() for each in self.folders
        ]


PROJECT_ONLY = Trust()
"""Trust in this project's packages and nothing else: the default everywhere."""


def load_class(path: str, base: type | tuple[str, ...], what: str, trust: Trust = PROJECT_ONLY) -> type[Any]:
    """The class that `"module:Class"` or `"some/file.py:Class"` names. It is not instantiated.

    Args:
        path: where the class is.
        base: what it must be a subclass of; or names of the methods that it must have.
        what: what it is for, for messages.
        trust: whose code may be loaded, beside the project's.

    Raises:
        ValueError: it is not trusted, there is none, or it is not of that kind.
    """
    module, _, name = path.rpartition(":")
    if not name.isidentifier() or not (module.endswith(".py") or _MODULE.fullmatch(module)):
        raise ValueError(f"{what} {path!r} cannot be loaded: it must be 'module:Class' or 'file.py:Class'")
    if module.endswith(".py"):
        if not trust.has_file(Path(module)):
            raise ValueError(
                f"{what} {path!r} is code in a file that you did not name; if you trust it, name it:"
                f" --trust {module}"
            )
    elif not trust.has_package(module):
        raise ValueError(
            f"{what} {path!r} is not of this project ({', '.join(PROJECT_PACKAGES)});"
            f" if you trust its package, name it: --trust {module.partition('.')[0]}"
        )
    try:
        loaded = load_file(Path(module), trust) if module.endswith(".py") else importlib.import_module(module)
        if not hasattr(loaded, name):
            own = [
                key
                for key, value in vars(loaded).items()
                if getattr(value, "__module__", "") == loaded.__name__
            ]
            raise AttributeError(f"it has no {name!r}, but {', '.join(own) or 'nothing of its own'}")
        found = getattr(loaded, name)
    except (Exception, SystemExit) as error:  # a user's file may fail in any way
        raise ValueError(
            f"{what} {path!r} cannot be loaded ({type(error).__name__}: {error});"
            " it must be 'module:Class' or 'file.py:Class'"
        ) from error
    if not isinstance(found, type):
        raise ValueError(f"{what} {path!r} is not a class")
    if isinstance(base, tuple):
        lacking = [method for method in base if not callable(getattr(found, method, None))]
        if lacking:
            raise ValueError(f"{what} {path!r} is no {what}: it lacks {' and '.join(lacking)}")
    elif not issubclass(found, base):
        raise ValueError(
            f"{what} {path!r} is not a subclass of {base.__module__.partition('.')[0]}.{base.__name__}"
        )
    return found


def load_file(path: Path, trust: Trust = PROJECT_ONLY) -> ModuleType:
    """The module in a file of the user's, loaded once per process for the same text, wherever it lies.

    Raises:
        ImportError: it imports a file beside it, which a run would not keep.
    """
    text = path.read_bytes()
    name = f"badger_user_{hashlib.sha256(text).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    for neighbour in _neighbours(path, text, trust):
        raise ImportError(
            f"it imports {neighbour}, which lies beside it; code of your own must be one file,"
            " which a run keeps a copy of, or an installed package that you name by --trust"
        )
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # dataclasses and NamedTuples look their module up
    try:
        exec(compile(text, path, "exec"), module.__dict__)  # the import machinery would trust a stale cache
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _neighbours(path: Path, text: bytes, trust: Trust) -> Iterator[str]:
    """Names of modules that a file imports from its own folder, but for packages that are trusted."""
    for node in ast.walk(ast.parse(text, str(path))):
        if isinstance(node, ast.ImportFrom):
            names = ["." * node.level + (node.module or "")]
        else:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            top, folder = name.partition(".")[0], path.resolve().parent
            if not top:  # a relative import
                yield name
            elif top in sys.stdlib_module_names or trust.has_package(top):
                continue
            elif (folder / f"{top}.py").is_file() or (folder / top).is_dir():
                spec = importlib.util.find_spec(top)
                origin = folder if spec is None or spec.origin is None else Path(spec.origin).resolve()
                if folder == origin or folder in origin.parents:
                    yield name


def file_of(text: str) -> Path | None:
    """The file in a text such as "some/file.py:Class"; None for any other text."""
    match = _FILE_CLASS.fullmatch(text)
    return Path(match["file"]) if match else None


def code_files(tables: Any) -> Iterator[Path]:
    """Files of code that settings name as "file.py:Class", at any depth, in their order."""
    if isinstance(tables, Mapping):
        tables = tuple(tables.values())
    if isinstance(tables, list | tuple):
        for value in tables:
            yield from code_files(value)
    elif isinstance(tables, str) and (file := file_of(tables)) is not None:
        yield file


def with_code_files(tables: Any, place: Callable[[Path], Path]) -> Any:
    """Settings in which each "file.py:Class", at any depth, names its file elsewhere."""
    if isinstance(tables, Mapping):
        return {key: with_code_files(value, place) for key, value in tables.items()}
    if isinstance(tables, list | tuple):
        return type(tables)(with_code_files(value, place) for value in tables)
    if isinstance(tables, str) and (file := file_of(tables)) is not None:
        return f"{place(file)}:{tables.rpartition(':')[2]}"
    return tables
