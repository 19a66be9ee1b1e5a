"""The code of classes from outside the package: the file that each stands in, and what it imports of the user's own.

Nothing is imported: files are found as Python finds them, and read. Code of installed libraries is told by their
versions; a class that is itself in an installed package is followed within that package.
"""

import ast
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from bench.identity.digests import digest_of, whole

OURS = ("bench", "hydra_plugins")
INSTALLED = tuple(
    dict.fromkeys(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
)  # folders of the standard library and of what was installed


def own_classes(config: Any) -> set[str]:
    """The classes from outside the package that a configuration names, at any depth: `module.Class`."""
    if isinstance(config, list):
        return set().union(*map(own_classes, config))
    if not isinstance(config, dict):
        return set()
    target = config.get("_target_")
    here = {target} if isinstance(target, str) and target.partition(".")[0] not in OURS else set()
    return here.union(*map(own_classes, config.values()))


def source_of(target: str, folders: Iterable[str] = ()) -> dict[str, Any] | None:
    """A digest of the code of a class, the files that it is, and the folder that they are found from.

    Args:
        target: `module.Class`.
        folders: to look in beside Python's path, such as the user's `--config-dir`.

    Returns:
        None: there is no such module here.
    """
    search = tuple(dict.fromkeys((*sys.path, *folders)))
    files = _files(target.rpartition(".")[0], search)
    if not files:
        return None
    name, first = files[0]
    top = Path(first).parents[name.count("/")]
    try:
        digest = digest_of(*(text for name, file in sorted(files) for text in (name, whole(Path(file)))))
    except OSError:
        return None
    return {"digest": digest, "files": sorted(name for name, _ in files), "folder": str(top)}


def _files(module: str, search: tuple[str, ...]) -> list[tuple[str, str]]:
    """Name (as Python's path has it) and place of every file that a module consists of, the module's own first."""
    found: dict[str, str] = {}
    waiting, seen, package = [module], set[str](), module.partition(".")[0]
    while waiting:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        file = _file_of(name, search)
        if file is None or (_is_installed(file) and name.partition(".")[0] != package):
            continue
        found[name] = file
        parents = [name.rsplit(".", count)[0] for count in range(1, name.count(".") + 1)]
        waiting += [*parents, *_imports(name, file, _stamp(file))]
    return [(_relative(name, file), file) for name, file in found.items()]


def _file_of(module: str, search: tuple[str, ...]) -> str | None:
    """The Python file of a module, as the import system would find it; None: none, or one of another kind."""
    first, *rest = module.split(".")
    if first in OURS or first in sys.builtin_module_names:
        return None
    file, places = _in(first, [Path(place or ".").absolute() for place in search])
    for part in rest:
        file, places = _in(part, places)
    return None if file is None else str(file)


def _in(name: str, places: Iterable[Path]) -> tuple[Path | None, list[Path]]:
    """A module's file in one of several folders, and where its submodules are; a folder alone is a package too."""
    bare = []
    for place in places:
        package, module = place / name, place / f"{name}.py"
        if (package / "__init__.py").is_file():
            return package / "__init__.py", [package]
        if module.is_file():
            return module, []
        if package.is_dir():
            bare.append(package)
    return None, bare


def _is_installed(file: str) -> bool:
    is_there = any(file.startswith(f"{folder}/") for folder in INSTALLED)
    return is_there or not {"site-packages", "dist-packages"}.isdisjoint(Path(file).parts)


def _stamp(file: str) -> tuple[int, int, int]:
    status = Path(file).stat()
    return status.st_ino, status.st_size, status.st_ctime_ns


@lru_cache(maxsize=1024)
def _imports(module: str, file: str, _: tuple[int, int, int]) -> tuple[str, ...]:
    """The modules that a file may import, absolute; what is imported from one may be a module too."""
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (SyntaxError, ValueError, OSError):
        return ()  # whoever imports it says what is wrong
    package = module if Path(file).stem == "__init__" else module.rpartition(".")[0]
    return tuple(dict.fromkeys(name for node in ast.walk(tree) for name in _imported(node, package)))


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package.split(".")[: -(node.level - 1) or None] if node.level and package else []
        base = ".".join([*above, *([node.module] if node.module else [])])
        if base:
            yield base
        yield from (f"{base}.{alias.name}" if base else alias.name for alias in node.names if alias.name != "*")


def _relative(module: str, file: str) -> str:
    path = module.replace(".", "/")
    return f"{path}/__init__.py" if Path(file).stem == "__init__" else f"{path}.py"
