"""Which locked package needs which, from the metadata of those installed, on every platform that the lock is for."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import product
from typing import Final

from packaging.markers import Environment, default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_PLATFORMS: Final = (
    ("linux", "Linux", "posix", "x86_64"),
    ("linux", "Linux", "posix", "aarch64"),
    ("darwin", "Darwin", "posix", "arm64"),
    ("win32", "Windows", "nt", "AMD64"),
    ("emscripten", "Emscripten", "posix", "wasm32"),
)
_PYTHONS: Final = ("3.11", "3.12", "3.13", "3.14")


def _environment(platform: tuple[str, str, str, str], python: str) -> Environment:
    sys_platform, system, os_name, machine = platform
    return {
        **default_environment(),
        "sys_platform": sys_platform,
        "platform_system": system,
        "os_name": os_name,
        "platform_machine": machine,
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_version": f"{python}.0",
    }


_ENVIRONMENTS: Final = [_environment(*pair) for pair in product(_PLATFORMS, _PYTHONS)]


def applies(requirement: Requirement, extras: Iterable[str]) -> bool:
    """Whether the requirement holds on any platform, for a package asked for with these extras."""
    if requirement.marker is None:
        return True
    marker = requirement.marker
    return any(
        marker.evaluate({**environment, "extra": extra}) for extra in ("", *extras) for environment in _ENVIRONMENTS
    )


def edges(roots: Iterable[Requirement], requires: Callable[[str], Iterable[Requirement]]) -> Mapping[str, set[str]]:
    """The names that every package that the roots lead to needs, with the extras that anybody asks it for."""
    asked: dict[str, set[str]] = {}
    found: defaultdict[str, set[str]] = defaultdict(set)
    waiting = list(roots)
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if name in asked and wanted.extras <= asked[name]:
            continue
        asked[name] = asked.get(name, set()) | wanted.extras
        needed = [one for one in requires(name) if applies(one, asked[name])]
        found[name] |= {canonicalize_name(one.name) for one in needed}
        waiting += needed
    return found
