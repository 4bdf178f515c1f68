"""The parameters of a node, as in rclpy: declaring, getting, setting, descriptors and callbacks."""

from __future__ import annotations

import copy
import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from . import _parameter_rules as rules
from .exceptions import (
    InvalidParameterTypeException,
    InvalidParameterValueException,
    ParameterAlreadyDeclaredException,
    ParameterImmutableException,
    ParameterNotDeclaredException,
    ParameterUninitializedException,
)
from .parameter import PARAMETER_SEPARATOR_STRING, Parameter
from .validate_parameter_name import validate_parameter_name

if TYPE_CHECKING:
    from rcl_interfaces.msg import ListParametersResult, ParameterDescriptor, SetParametersResult

PreSetCallback = Callable[[list[Parameter]], list[Parameter]]
OnSetCallback = Callable[[list[Parameter]], "SetParametersResult"]
PostSetCallback = Callable[[list[Parameter]], None]


class NodeParameters:
    """The part of ``Node`` that is about parameters."""

    def _init_parameters(self, overrides: dict[str, Parameter], *, allow_undeclared: bool) -> None:
        self._parameters: dict[str, Parameter] = {}
        self._descriptors: dict[str, ParameterDescriptor] = {}
        self._parameter_overrides = overrides
        self._allow_undeclared_parameters = allow_undeclared
        self._parameters_lock = threading.RLock()
        self._pre_set_callbacks: list[PreSetCallback] = []
        self._on_set_callbacks: list[OnSetCallback] = []
        self._post_set_callbacks: list[PostSetCallback] = []

    def _publish_parameter_event(
        self, new: list[Parameter], changed: list[Parameter], deleted: list[Parameter]
    ) -> None:
        raise NotImplementedError

    # Declaring

    def declare_parameter(
        self,
        name: str,
        value: Any = None,
        descriptor: ParameterDescriptor | None = None,
        ignore_override: bool = False,
    ) -> Parameter:
        """Declares a parameter; its override from the command line wins over ``value``.

        :param value: the default, or a ``Parameter.Type`` for a typed parameter without default.
        :raises ParameterAlreadyDeclaredException, InvalidParameterException: by the name.
        :raises InvalidParameterTypeException: when the override is of another type than the default.
        :raises InvalidParameterValueException: when range or callbacks reject the value.
        """
        if value is None and descriptor is None:
            return self.declare_parameters("", [(name,)], ignore_override)[0]
        return self.declare_parameters("", [(name, value, descriptor)], ignore_override)[0]

    def declare_parameters(
        self, namespace: str, parameters: Iterable[tuple[Any, ...]], ignore_override: bool = False
    ) -> list[Parameter]:
        """Declares ``(name, value, descriptor)`` tuples; see ``declare_parameter``. ``namespace`` precedes names."""
        declarations: list[tuple[Parameter, ParameterDescriptor]] = []
        for given in parameters:
            full_name = f"{namespace}{PARAMETER_SEPARATOR_STRING}{given[0]}" if namespace else given[0]
            validate_parameter_name(full_name)
            declarations.append(self._rcl_declaration(full_name, given[1:], ignore_override=ignore_override))
        names = [parameter.name for parameter, _ in declarations]
        declared = [name for name in names if name in self._parameters]
        if declared:
            raise ParameterAlreadyDeclaredException(declared)
        for parameter, descriptor in declarations:
            self._rcl_declare(parameter, descriptor)
        return [self._parameters[name] for name in names]

    def _rcl_declaration(
        self, name: str, given: tuple[Any, ...], *, ignore_override: bool
    ) -> tuple[Parameter, ParameterDescriptor]:
        from rcl_interfaces.msg import ParameterDescriptor

        value, descriptor = (*given, None, None)[:2]
        descriptor = copy.deepcopy(descriptor) if descriptor is not None else ParameterDescriptor()
        if not isinstance(descriptor, ParameterDescriptor):
            raise TypeError(f"Third element of parameter {name} must be a ParameterDescriptor, not {descriptor!r}")
        if not given:
            warnings.warn(
                f"when declaring parameter named '{name}', declaring a parameter only providing its name is "
                "deprecated: pass a default value, a Parameter.Type, or a descriptor with `dynamic_typing=True`",
                stacklevel=4,
            )
            descriptor.dynamic_typing = True
        descriptor.name = name
        type_ = value if isinstance(value, Parameter.Type) else Parameter.Type.from_parameter_value(value)
        if isinstance(value, Parameter.Type):
            value = None
        if not descriptor.dynamic_typing:
            if type_ is Parameter.Type.NOT_SET:
                raise ValueError(f"Cannot declare parameter '{name}' statically as type 'NOT_SET'")
            descriptor.type = type_.value
        if not ignore_override and name in self._parameter_overrides:
            value = self._parameter_overrides[name].value
        return Parameter(name, value=value), descriptor

    def _rcl_declare(self, parameter: Parameter, descriptor: ParameterDescriptor) -> None:
        """Sets the first value; a typed parameter may still be without one."""
        with self._parameters_lock:
            is_unset = parameter.type_ is Parameter.Type.NOT_SET
            if not is_unset and rules.type_problem(parameter, descriptor):
                raise InvalidParameterTypeException(parameter, Parameter.Type(descriptor.type).name)
            reason = rules.range_problem(parameter, descriptor) or self._rcl_rejection([parameter])
            if reason is not None:
                raise InvalidParameterValueException(parameter.name, parameter.value, reason)
            self._parameters[parameter.name] = parameter
            self._descriptors[parameter.name] = descriptor
        self._publish_parameter_event([] if is_unset else [parameter], [], [])
        for callback in tuple(self._post_set_callbacks):
            callback([parameter])

    def undeclare_parameter(self, name: str) -> None:
        """:raises ParameterNotDeclaredException, ParameterImmutableException:"""
        with self._parameters_lock:
            if name not in self._parameters:
                raise ParameterNotDeclaredException(name)
            if self._descriptors[name].read_only:
                raise ParameterImmutableException(name)
            del self._parameters[name], self._descriptors[name]

    # Getting

    def has_parameter(self, name: str) -> bool:
        return name in self._parameters

    def get_parameter(self, name: str) -> Parameter:
        """:raises ParameterNotDeclaredException, ParameterUninitializedException:"""
        with self._parameters_lock:
            parameter = self._parameters.get(name)
            if parameter is None:
                if self._allow_undeclared_parameters:
                    return Parameter(name, Parameter.Type.NOT_SET, None)
                raise ParameterNotDeclaredException(name)
            if parameter.type_ is Parameter.Type.NOT_SET and not self._descriptors[name].dynamic_typing:
                raise ParameterUninitializedException(name)
            return parameter

    def get_parameters(self, names: Sequence[str]) -> list[Parameter]:
        """:raises ParameterNotDeclaredException, ParameterUninitializedException:"""
        if not all(isinstance(name, str) for name in names):
            raise TypeError("All names must be instances of type str")
        return [self.get_parameter(name) for name in names]

    def get_parameter_or(self, name: str, alternative_value: Parameter | None = None) -> Parameter:
        """Returns the parameter, or the alternative when it is not declared or has no value."""
        found = self._parameters.get(name)
        if found is not None and found.type_ is not Parameter.Type.NOT_SET:
            return found
        return alternative_value if alternative_value is not None else Parameter(name, Parameter.Type.NOT_SET)

    def get_parameters_by_prefix(self, prefix: str) -> dict[str, Parameter]:
        """Returns the parameters below ``prefix`` by what follows it; all of them for an empty prefix."""
        start = f"{prefix}{PARAMETER_SEPARATOR_STRING}" if prefix else ""
        return {
            name.removeprefix(start): parameter
            for name, parameter in self._parameters.items()
            if name.startswith(start)
        }

    def get_parameter_type(self, name: str) -> Parameter.Type:
        """:raises ParameterNotDeclaredException:"""
        return self._parameter_or_not_set(name).type_

    def get_parameter_types(self, names: Sequence[str]) -> list[Parameter.Type]:
        """:raises ParameterNotDeclaredException:"""
        return [self.get_parameter_type(name) for name in names]

    def _parameter_or_not_set(self, name: str) -> Parameter:
        if name not in self._parameters and not self._allow_undeclared_parameters:
            raise ParameterNotDeclaredException(name)
        return self._parameters.get(name) or Parameter(name, Parameter.Type.NOT_SET)

    def list_parameters(self, prefixes: Sequence[str], depth: int) -> ListParametersResult:
        """Returns names and prefixes of parameters that are at most ``depth`` levels below the prefixes (0: any)."""
        from rcl_interfaces.msg import ListParametersResult

        def is_within(name: str) -> bool:
            below = [
                name.removeprefix(start)
                for start in (f"{prefix}{PARAMETER_SEPARATOR_STRING}" for prefix in prefixes)
                if name.startswith(start)
            ]
            if not prefixes:
                below = [name]
            elif name in prefixes:
                return True
            return any(not depth or rest.count(PARAMETER_SEPARATOR_STRING) < depth for rest in below)

        names = [name for name in self._parameters if is_within(name)]
        found = {name.rpartition(PARAMETER_SEPARATOR_STRING)[0] for name in names}
        return ListParametersResult(names=names, prefixes=sorted(found - {""}))

    # Setting

    def set_parameters(self, parameter_list: list[Parameter]) -> list[SetParametersResult]:
        """Sets parameters one by one; a rejected one is told in its result.

        :raises ParameterNotDeclaredException: when one is not declared and that is not allowed.
        """
        self._check_declared(parameter_list)
        return [self._set_atomically([parameter]) for parameter in parameter_list]

    def set_parameters_atomically(self, parameter_list: list[Parameter]) -> SetParametersResult:
        """Sets all parameters or, when one is rejected, none.

        :raises ParameterNotDeclaredException: when one is not declared and that is not allowed.
        """
        self._check_declared(parameter_list)
        return self._set_atomically(list(parameter_list))

    def _check_declared(self, parameters: Iterable[Parameter]) -> None:
        parameters = list(parameters)
        if not all(isinstance(parameter, Parameter) for parameter in parameters):
            raise TypeError("parameter must be instance of type 'rclpy.parameter.Parameter'")
        undeclared = [parameter.name for parameter in parameters if parameter.name not in self._parameters]
        if undeclared and not self._allow_undeclared_parameters:
            raise ParameterNotDeclaredException(undeclared)

    def _set_atomically(self, parameters: list[Parameter]) -> SetParametersResult:
        from rcl_interfaces.msg import SetParametersResult

        with self._parameters_lock:
            for pre_set in tuple(self._pre_set_callbacks):
                parameters = pre_set(parameters)
                if not parameters:
                    return SetParametersResult(
                        successful=False, reason="parameter list is empty after the pre-set callback"
                    )
            self._check_declared(parameters)
            problems = (self._rcl_problem(parameter) for parameter in parameters)
            reason = next((problem for problem in problems if problem is not None), None)
            reason = reason if reason is not None else self._rcl_rejection(parameters)
            if reason is not None:
                return SetParametersResult(successful=False, reason=reason)
            self._rcl_store(parameters)
        for post_set in tuple(self._post_set_callbacks):
            post_set(parameters)
        return SetParametersResult(successful=True)

    def _rcl_problem(self, parameter: Parameter) -> str | None:
        descriptor = self._descriptors.get(parameter.name)
        if descriptor is None:
            return None
        if descriptor.read_only:
            return f"Trying to set a read-only parameter: {parameter.name}."
        return rules.type_problem(parameter, descriptor) or rules.range_problem(parameter, descriptor)

    def _rcl_rejection(self, parameters: list[Parameter]) -> str | None:
        """Returns the reason of the on-set callback that rejects the parameters; an empty one counts too."""
        for on_set in tuple(self._on_set_callbacks):
            result = on_set(parameters)
            if not result.successful:
                return str(result.reason)
        return None

    def _rcl_store(self, parameters: list[Parameter]) -> None:
        from rcl_interfaces.msg import ParameterDescriptor

        new: list[Parameter] = []
        changed: list[Parameter] = []
        deleted: list[Parameter] = []
        for parameter in parameters:
            before = self._parameters.get(parameter.name)
            was_set = before is not None and before.type_ is not Parameter.Type.NOT_SET
            if parameter.type_ is Parameter.Type.NOT_SET:
                if was_set:
                    deleted.append(parameter)
                self._parameters.pop(parameter.name, None)
                self._descriptors.pop(parameter.name, None)
                continue
            (changed if was_set else new).append(parameter)
            self._parameters[parameter.name] = parameter
            self._descriptors.setdefault(parameter.name, ParameterDescriptor(name=parameter.name, dynamic_typing=True))
        self._publish_parameter_event(new, changed, deleted)

    # Descriptors

    def describe_parameter(self, name: str) -> ParameterDescriptor:
        """:raises ParameterNotDeclaredException:"""
        from rcl_interfaces.msg import ParameterDescriptor

        descriptor = self._descriptors.get(name)
        if descriptor is None:
            if self._allow_undeclared_parameters:
                return ParameterDescriptor()
            raise ParameterNotDeclaredException(name)
        described = copy.deepcopy(descriptor)
        described.type = self._parameters[name].type_.value or descriptor.type
        return described

    def describe_parameters(self, names: Sequence[str]) -> list[ParameterDescriptor]:
        """:raises ParameterNotDeclaredException:"""
        return [self.describe_parameter(name) for name in names]

    def set_descriptor(self, name: str, descriptor: ParameterDescriptor, alternative_value: Any | None = None) -> Any:
        """Replaces a descriptor; the value must fit it, or ``alternative_value`` takes its place.

        :raises ParameterNotDeclaredException, ParameterImmutableException, InvalidParameterValueException:
        """
        with self._parameters_lock:
            if name not in self._descriptors:
                raise ParameterNotDeclaredException(name)
            if self._descriptors[name].read_only:
                raise ParameterImmutableException(name)
            parameter = self._parameters[name]
            if alternative_value is not None:
                parameter = Parameter.from_parameter_msg(_as_message(name, alternative_value))
            replacement = copy.deepcopy(descriptor)
            replacement.name, replacement.type = name, replacement.type or parameter.type_.value
            reason = rules.type_problem(parameter, replacement) or rules.range_problem(parameter, replacement)
            if reason is not None:
                raise InvalidParameterValueException(name, parameter.value, reason)
            self._descriptors[name] = replacement
            self._parameters[name] = parameter
            return parameter.get_parameter_value()

    # Callbacks

    def add_pre_set_parameters_callback(self, callback: PreSetCallback) -> None:
        """Calls back before parameters are checked; the callback returns the list that is set instead."""
        self._pre_set_callbacks.insert(0, callback)

    def add_on_set_parameters_callback(self, callback: OnSetCallback) -> None:
        """Calls back to accept or reject parameters; it must have no side effects."""
        self._on_set_callbacks.insert(0, callback)

    def add_post_set_parameters_callback(self, callback: PostSetCallback) -> None:
        """Calls back after parameters were set."""
        self._post_set_callbacks.insert(0, callback)

    def remove_pre_set_parameters_callback(self, callback: PreSetCallback) -> None:
        """:raises ValueError: when the callback was not added."""
        self._pre_set_callbacks.remove(callback)

    def remove_on_set_parameters_callback(self, callback: OnSetCallback) -> None:
        """:raises ValueError: when the callback was not added."""
        self._on_set_callbacks.remove(callback)

    def remove_post_set_parameters_callback(self, callback: PostSetCallback) -> None:
        """:raises ValueError: when the callback was not added."""
        self._post_set_callbacks.remove(callback)


def _as_message(name: str, value: Any) -> Any:
    """Wraps a ``ParameterValue`` into a parameter message."""
    from rcl_interfaces.msg import Parameter as ParameterMsg

    return ParameterMsg(name=name, value=value)
