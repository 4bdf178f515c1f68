"""Fills the modules of interface packages: ``std_msgs.msg`` gives ``String`` when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

from embedded_ros2.ament import get_package_share_directory
from embedded_ros2.interfaces import registry

_CLASS_OF = {"msg": registry.message_class, "srv": registry.service_class, "action": registry.action_class}


def fill_module(module: ModuleType) -> None:
    """Makes ``module``, named ``package`` or ``package.kind``, one of an interface package."""
    package, _, kind = module.__name__.partition(".")
    if not kind:
        module.__doc__ = f"Interfaces of {package}, made from {get_package_share_directory(package)}."
        return
    names = registry.names_in(package, kind)
    module.__all__ = names  # type: ignore[attr-defined]
    module.__getattr__ = _lookup(module, package, kind, frozenset(names))  # type: ignore[method-assign]
    module.__dir__ = lambda: sorted({*module.__dict__, *names})  # type: ignore[method-assign]


def _lookup(module: ModuleType, package: str, kind: str, names: frozenset[str]) -> Callable[[str], type]:
    def get(name: str) -> type:
        stem, _, part = name.partition("_")
        if stem not in names:
            raise AttributeError(f"module '{module.__name__}' has no interface '{name}'")
        full = f"{package}/{kind}/{name}"
        # Parts of services and actions can be had too, as SetBool_Request; copying and pickling rely on it.
        class_: type = registry.message_class(full) if part else _CLASS_OF[kind](full)
        setattr(module, name, class_)
        return class_

    return get
