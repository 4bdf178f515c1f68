"""What actions of a launch file read and change: variables, environment, namespace; and the reading of their keys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from embedded_ros2.launch.entities import Entity
from embedded_ros2.launch.substitutions import Scope, SubstitutionError, split_arguments, substitute

_TRUE = ("true", "1")
_FALSE = ("false", "0")


@dataclass(slots=True)
class State:
    """Changes as actions are performed; a scoped group works on a copy. An empty namespace means that none is set."""

    variables: dict[str, str]
    environment: dict[str, str]
    directory: Path
    namespace: str = ""

    def copy(self) -> State:
        return State(dict(self.variables), dict(self.environment), self.directory, self.namespace)

    def substitute(self, entity: Entity, text: str) -> str:
        """Performs the substitutions of a text of an entity.

        :raises LaunchError: with the entity's place, when one fails.
        """
        try:
            return substitute(text, Scope(self.variables, self.environment, self.directory))
        except SubstitutionError as error:
            raise entity.error(str(error)) from error

    def arguments(self, entity: Entity, key: str) -> list[str]:
        """Takes a command line and splits it; empty when it is missing.

        :raises LaunchError: with the entity's place, when it cannot be split.
        """
        try:
            return split_arguments(entity.text(key) or "", Scope(self.variables, self.environment, self.directory))
        except SubstitutionError as error:
            raise entity.error(str(error)) from error

    def required(self, entity: Entity, key: str) -> str:
        return self.substitute(entity, entity.required_text(key))

    def optional(self, entity: Entity, key: str) -> str | None:
        text = entity.text(key)
        return None if text is None else self.substitute(entity, text)

    def flag(self, entity: Entity, key: str, *, default: bool) -> bool:
        """Takes a boolean: true, 1, false or 0, in any case, also as the result of substitutions."""
        text = entity.scalar(key)
        if text is None:
            return default
        value = self.substitute(entity, text).strip().lower()
        if value not in _TRUE + _FALSE:
            raise entity.error(f"'{key}' is '{value}', it must be true, 1, false or 0")
        return value in _TRUE

    def seconds(self, entity: Entity, key: str) -> float:
        """Takes a duration in seconds that is not negative, also as the result of substitutions."""
        text = entity.scalar(key)
        if text is None:
            raise entity.error(f"'{key}' is missing")
        value = self.substitute(entity, text)
        try:
            seconds = float(value)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds < float("inf"):
            raise entity.error(f"'{key}' is '{value}', it must be a number of seconds, 0 or more")
        return seconds

    def real_seconds(self, entity: Entity, key: str, *, default: float) -> float:
        """Takes a duration that ``ros2 launch`` compares as it stands: a YAML number with a point, 0 or more."""
        value = entity.value(key)
        if value is None:
            return default
        if not isinstance(value, float) or not 0 <= value < float("inf"):
            raise entity.error(
                f"'{key}' is {value!r}, it must be seconds with a point, 0.0 or more, as ros2 launch needs it"
            )
        return value

    def condition_holds(self, entity: Entity) -> bool:
        """Decides 'if' and 'unless'; both at once are refused."""
        if not isinstance(entity.content, dict):
            return True
        conditions = [key for key in ("if", "unless") if entity.text(key) is not None]
        if len(conditions) > 1:
            raise entity.error("'if' and 'unless' exclude each other")
        if not conditions:
            return True
        return self.flag(entity, conditions[0], default=True) is (conditions[0] == "if")

    def joined_namespace(self, namespace: str) -> str:
        """Returns a namespace below the current one; an absolute one replaces it, an empty one changes nothing."""
        if not namespace:
            return self.namespace
        if namespace.startswith("/"):
            return namespace
        return f"{self.namespace.rstrip('/')}/{namespace}"
