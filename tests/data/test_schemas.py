from __future__ import annotations

from pathlib import Path

import pytest
from mcap_ros2.decoder import DecoderFactory
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from tenon.data.schemas import SEPARATOR, FindShare, SchemaError, find_share_under, full_definition


def packages(root: Path, **texts: str) -> FindShare:
    """Packages under ``root`` from ``package__Name="text"``."""
    for name, text in texts.items():
        package, _, message = name.partition("__")
        path = root / package / "msg" / f"{message}.msg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return find_share_under(root)


def heads(definition: str) -> list[str]:
    return [part.splitlines()[1] for part in definition.split(SEPARATOR)[1:]]


def test_definition_starts_with_the_type_and_names_each_dependency_once(tmp_path: Path) -> None:
    find = packages(
        tmp_path,
        a__Top="b/Mid first\nb/msg/Mid second\nLeaf leaf\n",
        a__Leaf="float64 x\n",
        b__Mid="a/Leaf[] leaves\nb/Other other\n",
        b__Other="int32 y\n",
    )
    definition = full_definition("a/msg/Top", find)
    assert definition.startswith("b/Mid first\n")
    assert heads(definition) == ["MSG: b/Mid", "MSG: a/Leaf", "MSG: b/Other"]


def test_fields_with_capacities_constants_defaults_and_comments_are_understood(tmp_path: Path) -> None:
    text = (
        "# Header is no type in a comment\nuint8 KIND=3\nstring<=10 name 'b/Nothing'\nstring<=10[<=4] names\n"
        "Leaf[<=3] few # c/Unknown\nLeaf[2] two\nfloat32[3] plain [1.0, 2.0, 3.0]\n\n   wstring wide\n"
    )
    assert heads(full_definition("a/Top", packages(tmp_path, a__Top=text, a__Leaf="bool b\n"))) == ["MSG: a/Leaf"]


def test_types_that_use_each_other_end(tmp_path: Path) -> None:
    find = packages(tmp_path, a__One="a/Two[] x\n", a__Two="a/One[] y\n")
    assert heads(full_definition("a/One", find)) == ["MSG: a/Two"]


@pytest.mark.parametrize(
    "name", ["sensor_msgs/msg/Image", "sensor_msgs/msg/JointState", "geometry_msgs/msg/PoseStamped"]
)
def test_standard_types_have_the_type_hash_of_jazzy(ros, name: str) -> None:
    types = get_types_from_msg(full_definition(name, ros.find_share), name)
    store = get_typestore(Stores.EMPTY)
    store.register(types)
    assert store.hash_rihs01(name) == get_typestore(Stores.ROS2_JAZZY).hash_rihs01(name)


def test_every_message_of_tenon_is_read_by_mcap_ros2_and_rosbags(ros) -> None:
    names = sorted(path.stem for path in (ros.find_share("tenon_msgs") / "msg").glob("*.msg"))
    assert names
    for name in names:
        definition = full_definition(f"tenon_msgs/msg/{name}", ros.find_share)
        assert f"tenon_msgs/msg/{name}" in get_types_from_msg(definition, f"tenon_msgs/msg/{name}")
        schema = Schema(f"tenon_msgs/msg/{name}", definition)
        assert DecoderFactory().decoder_for("cdr", schema) is not None


class Schema:
    """As much of ``mcap.records.Schema`` as the decoder looks at."""

    def __init__(self, name: str, definition: str) -> None:
        self.id, self.name, self.encoding, self.data = 1, name, "ros2msg", definition.encode()


def test_missing_file_is_named_with_the_type_that_needs_it(tmp_path: Path) -> None:
    find = packages(tmp_path, a__Top="a/Leaf leaf\n")
    with pytest.raises(SchemaError, match=r"a/Leaf \(needed by a/Top\): .*Leaf.msg cannot be read"):
        full_definition("a/msg/Top", find)


def test_unknown_package_is_named_with_the_places_that_were_searched(tmp_path: Path) -> None:
    find = packages(tmp_path, a__Top="nowhere/Leaf leaf\n")
    with pytest.raises(SchemaError, match=f"'nowhere' has no msg folder under: {tmp_path}"):
        full_definition("a/Top", find)


@pytest.mark.parametrize("name", ["Top", "a/srv/Top", "a/msg/sub/Top", "A/Top", "../etc/Top", ""])
def test_malformed_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SchemaError, match="no message type"):
        full_definition(name, find_share_under(tmp_path))


def test_a_line_that_would_end_the_definition_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="==="):
        full_definition("a/Top", packages(tmp_path, a__Top="# title\n====\nint32 x\n"))
