"""$(...) in texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from embedded_ros2 import ament
from embedded_ros2.launch.substitutions import Scope, SubstitutionError, split_arguments, substitute

SCOPE = Scope({"a": "1", "b": "a", "spaced": "x y", "quote": "it's"}, {"HOME_DIR": "/home"}, Path("/launch/files"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("plain", "plain"),
        ("$(var a)", "1"),
        ("<$(var a)-$(var b)>", "<1-a>"),
        ("$(var missing default)", "default"),
        ("$(var missing '')", ""),
        ("$(var missing 'two words')", "two words"),
        ("$(var $(var b))", "1"),
        ("$(var  a )", "1"),
        ("$(env HOME_DIR)/x", "/home/x"),
        ("$(env MISSING $(var a))", "1"),
        ("$(dirname)/x.yaml", "/launch/files/x.yaml"),
        ("$(eval '$(var a) + 1')", "2"),
        ("$(eval \"'$(var b)' == 'a'\")", "True"),
        (r"$(eval '\'$(var b)\' == \'b\'')", "False"),
        (r"\$(var a)", "$(var a)"),
        ("a $ b) (c", "a $ b) (c"),
        ("it's", "it's"),
    ],
)
def test_substitution(text, expected):
    assert substitute(text, SCOPE) == expected


def test_packages_are_found():
    assert substitute("$(find-pkg-share std_msgs)", SCOPE) == ament.get_package_share_directory("std_msgs")
    assert substitute("$(find-pkg-prefix std_msgs)", SCOPE) == ament.get_package_prefix("std_msgs")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("$(var missing)", "variable 'missing' is not set, known are a, b"),
        ("$(env MISSING)", "environment variable 'MISSING'"),
        ("$(command 'rm -rf /')", r"unknown substitution .* known are dirname"),
        ("$(var)", "takes 1 to 2 arguments"),
        ("$(dirname x)", "takes 0 arguments"),
        ("$(eval 1 + 1)", "takes 1 arguments"),
        ("$(eval 'open(1)')", "not known"),
        ("$(find-pkg-share no_such_package)", "no_such_package"),
        ("$(var a", "ends where"),
        ("$(var a ", "closing"),
        ("$(var 'a)", "ends where"),
        ("$( )", "name of a substitution"),
    ],
)
def test_errors_name_the_cause(text, message):
    with pytest.raises(SubstitutionError, match=message):
        substitute(text, SCOPE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a  b 'c d' \"e f\"", ["a", "b", "c d", "e f"]),
        ("--x $(var a) --y", ["--x", "1", "--y"]),
        ("--x=$(var a)", ["--x=1"]),
        ("$(var a)$(var b)", ["1a"]),
        ("$(var a) $(var b)", ["1", "a"]),
        ("$(dirname)/bin run $(var a)", ["/launch/files/bin", "run", "1"]),
        ("--x $(var spaced) $(var quote)", ["--x", "x y", "it's"]),
    ],
)
def test_command_lines_are_split_but_substituted_values_are_not(text, expected):
    assert split_arguments(text, SCOPE) == expected


def test_open_quote_raises():
    with pytest.raises(SubstitutionError, match="quotation"):
        split_arguments("a 'b", SCOPE)
