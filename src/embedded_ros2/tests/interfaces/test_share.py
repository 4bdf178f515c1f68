"""The shipped definitions are those of ROS 2 Jazzy."""

import pytest
from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_typestore

from embedded_ros2 import ament
from embedded_ros2.interfaces import get_action, get_message, get_service, interface_id, registry
from embedded_ros2.interfaces.definitions import Array

STORE = get_typestore(Stores.ROS2_JAZZY)
SHIPPED = sorted(path.name for path in (ament._SHIPPED_PREFIX / "share").iterdir())
MESSAGES = [f"{package}/msg/{name}" for package in SHIPPED for name in registry.names_in(package, "msg")]
SHARED = [name for name in MESSAGES if name in STORE.fielddefs]
_ALIASES = {"octet": "byte"}


def as_rosbags(field):
    base = (Nodetype.NAME, field.base) if field.is_nested else (Nodetype.BASE, (field.base, field.string_bound))
    if field.array is Array.NONE:
        return base
    return (Nodetype.ARRAY if field.array is Array.FIXED else Nodetype.SEQUENCE, (base, field.size))


def from_rosbags(node):
    kind, argument = node
    if kind == Nodetype.BASE:
        return kind, (_ALIASES.get(argument[0], argument[0]), argument[1])
    if kind == Nodetype.NAME:
        return kind, argument
    return kind, (from_rosbags(argument[0]), argument[1])


def test_every_standard_message_of_the_packages_is_shipped():
    packages = set(SHIPPED) - {"example_interfaces"}
    expected = {name for name in STORE.fielddefs if name.split("/")[0] in packages}
    assert expected == set(SHARED)
    assert len(SHARED) > 120


@pytest.mark.parametrize("name", SHARED)
def test_fields_and_constants_equal_jazzy(name):
    constants, fields = STORE.fielddefs[name]
    definition = registry.definition(name)
    assert [(f.name, as_rosbags(f)) for f in definition.fields] == [
        (n, from_rosbags(t)) for n, t in fields if n != "structure_needs_at_least_one_member"
    ]
    values = {c.name: c.value[0] if isinstance(c.value, bytes) else c.value for c in definition.constants}
    assert values == {n: v for n, _, v in constants}


@pytest.mark.parametrize("name", SHARED)
def test_type_hash_equals_jazzy(name):
    if name == "std_msgs/msg/Char":
        pytest.skip("rosbags hashes char as a type of its own, rosidl as uint8")
    # rosbags needs the same for char inside of other messages.
    if any(f.base == "char" for f in registry.definition(name).fields):
        pytest.skip("rosbags hashes char as a type of its own, rosidl as uint8")
    assert registry.type_hash(name) == STORE.hash_rihs01(name)


@pytest.mark.parametrize("package", SHIPPED)
def test_every_interface_of_a_package_builds(package):
    for kind, get in (("msg", get_message), ("srv", get_service), ("action", get_action)):
        for name in registry.names_in(package, kind):
            assert interface_id(get(f"{package}/{kind}/{name}")).type_hash.startswith("RIHS01_")


def test_manifests_name_the_packages_that_the_definitions_use():
    for package in SHIPPED:
        manifest = (ament._SHIPPED_PREFIX / "share" / package / "package.xml").read_text()
        assert f"<name>{package}</name>" in manifest
        for kind in registry.KINDS:
            for name in registry.names_in(package, kind):
                for field in registry.definition(f"{package}/{kind}/{name}").fields:
                    used = field.base.split("/")[0]
                    assert not field.is_nested or used == package or f"<depend>{used}</depend>" in manifest
