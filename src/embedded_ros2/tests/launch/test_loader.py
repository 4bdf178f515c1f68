"""From launch files to processes."""

from __future__ import annotations

import pytest

from embedded_ros2.launch import DeclaredArgument, InlineParameters, LaunchError, Respawn, declared_arguments, load

NODE = "pkg: launch_test_package, exec: talker"


def ros_arguments(process):
    """What follows --ros-args."""
    return list(process.command[process.command.index("--ros-args") + 1 :])


def test_node(write):
    file = write("""
        launch:
          - node:
              pkg: launch_test_package
              exec: talker
              name: my_talker
              namespace: ns
              args: "--fast --level 3"
              ros_args: "--log-level debug"
              remap:
                - {from: a, to: b}
              env:
                - {name: KIND, value: test}
              output: screen
        """)
    (process,) = load(file)
    assert process.command[0].endswith("/lib/launch_test_package/talker")
    assert process.command[1:4] == ("--fast", "--level", "3")
    assert ros_arguments(process) == [
        "-r", "__node:=my_talker", "-r", "__ns:=/ns", "-r", "a:=b", "--log-level", "debug",
    ]  # fmt: skip
    assert process.name == "talker-1"
    assert process.environment["KIND"] == "test"
    assert process.output == "screen"
    assert process.place.line == 3


def test_parameters(write, tmp_path):
    (tmp_path / "file.yaml").write_text("{}")
    file = write(f"""
        launch:
          - let: {{name: rate, value: "12.5"}}
          - node:
              pkg: launch_test_package
              exec: talker
              name: named
              param:
                - {{name: rate, value: "$(var rate)"}}
                - {{name: flag, value: true}}
                - {{name: text, value: "'12'"}}
                - {{name: empty, value: ""}}
                - {{name: list, value: [1, 2]}}
                - {{name: texts, value: ["a$(var rate)", b]}}
                - name: outer
                  param:
                    - {{name: inner, value: 3}}
                - {{from: {tmp_path}/file.yaml}}
        """)
    (process,) = load(file)
    arguments = ros_arguments(process)
    assert arguments[2:5] == ["--params-file", f"{tmp_path}/file.yaml", "--params-file"]
    assert arguments[5] == InlineParameters(
        "/named",
        {
            "rate": 12.5,
            "flag": True,
            "text": "12",
            "empty": "",
            "list": [1, 2],
            "texts": ["a12.5", "b"],
            "outer": {"inner": 3},
        },
    )


def test_parameters_of_a_node_without_a_name_are_for_any_node(write):
    (process,) = load(write(f"launch: [node: {{{NODE}, param: [{{name: a, value: 1}}]}}]"))
    assert ros_arguments(process)[1] == InlineParameters("/**", {"a": 1})


@pytest.mark.parametrize("value", ["{a: 1}", "[1, a]", "[[1]]", "2024-01-01", "'{a: 1}'"])
def test_values_that_are_no_parameters_raise(write, value):
    file = write(f"launch: [node: {{{NODE}, param: [{{name: a, value: {value}}}]}}]")
    with pytest.raises(LaunchError, match="must be a bool"):
        load(file)


@pytest.mark.parametrize(
    ("pushed", "own", "expected"),
    [
        ([], "", None),
        ([], "a", "/a"),
        (["a"], "", "/a"),
        (["a"], "b", "/a/b"),
        (["a", "b"], "c", "/a/b/c"),
        (["a"], "/b", "/b"),
        (["a", "/b"], "", "/b"),
        ([""], "", None),
    ],
)
def test_namespaces(write, pushed, own, expected):
    pushes = "".join(f'  - push_ros_namespace: {{namespace: "{namespace}"}}\n' for namespace in pushed)
    (process,) = load(write(f'launch:\n{pushes}  - node: {{{NODE}, namespace: "{own}"}}\n'))
    assert ros_arguments(process) == ([] if expected is None else ["-r", f"__ns:={expected}"])


def test_groups_are_scoped(write):
    file = write(f"""
        launch:
          - let: {{name: a, value: outside}}
          - group:
              - let: {{name: a, value: inside}}
              - set_env: {{name: VARIABLE, value: inside}}
              - push_ros_namespace: {{namespace: inside}}
              - node: {{{NODE}, args: "$(var a)"}}
          - node: {{{NODE}, args: "$(var a) $(env VARIABLE none)"}}
          - group:
              scoped: false
              children:
                - let: {{name: a, value: leaked}}
          - node: {{{NODE}, args: "$(var a)"}}
        """)
    inside, outside, leaked = load(file)
    assert inside.command[1] == "inside"
    assert inside.environment["VARIABLE"] == "inside"
    assert ros_arguments(inside) == ["-r", "__ns:=/inside"]
    assert outside.command[1:3] == ("outside", "none")
    assert "VARIABLE" not in outside.environment
    assert leaked.command[1] == "leaked"


def test_environment(write):
    file = write(f"""
        launch:
          - set_env: {{name: A, value: "1"}}
          - unset_env: {{name: B}}
          - node: {{{NODE}}}
        """)
    (process,) = load(file, environment={"B": "2", "C": "3"})
    assert process.environment == {"A": "1", "C": "3"}


def test_arguments(write):
    file = write(f"""
        launch:
          - arg: {{name: a, default: "1", description: first}}
          - arg: {{name: b, default: "$(var a)0"}}
          - node: {{{NODE}, args: "$(var a) $(var b)"}}
        """)
    assert load(file)[0].command[1:3] == ("1", "10")
    assert load(file, {"a": "5"})[0].command[1:3] == ("5", "50")
    with pytest.raises(LaunchError, match=r"unknown launch arguments c; .* declares a, b"):
        load(file, {"c": "1"})


def test_argument_without_default_is_required(write):
    file = write("launch: [arg: {name: robot, description: which one}]")
    assert load(file, {"robot": "x"}) == []
    with pytest.raises(LaunchError, match=r"test\.launch\.yaml:1: arg: .*'robot' is required: which one"):
        load(file)


def test_choices(write):
    file = write("launch: [arg: {name: a, default: x, choice: [{value: x}, {value: y}]}]")
    assert load(file, {"a": "y"}) == []
    with pytest.raises(LaunchError, match="'z', allowed are x, y"):
        load(file, {"a": "z"})


@pytest.mark.parametrize(
    ("condition", "runs"),
    [
        ('if: "true"', True),
        ('if: "False"', False),
        ('if: "1"', True),
        ('unless: "0"', True),
        ('unless: "$(var yes)"', False),
        ("if: \"$(eval '1 == 1')\"", True),
    ],
)
def test_conditions(write, condition, runs):
    file = write(f"""
        launch:
          - let: {{name: "yes", value: "true"}}
          - node: {{{NODE}, {condition}}}
        """)
    assert bool(load(file)) is runs


def test_include(write, tmp_path):
    write(
        f"""
        launch:
          - arg: {{name: kind}}
          - arg: {{name: level, default: "3"}}
          - node: {{{NODE}, args: "$(var kind) $(var level) $(dirname)"}}
        """,
        "included.launch.yaml",
    )
    file = write("""
        launch:
          - include:
              file: $(dirname)/included.launch.yaml
              arg:
                - {name: kind, value: passed}
          - include: {file: /nowhere.launch.yaml, if: "false"}
        """)
    (process,) = load(file, {"level": "4"})
    assert process.command[1:4] == ("passed", "4", str(tmp_path))


def test_file_that_includes_itself_raises(write):
    with pytest.raises(LaunchError, match="includes itself"):
        load(write("launch: [include: {file: $(dirname)/test.launch.yaml}]"))


def test_executable(write):
    file = write("""
        launch:
          - let: {name: text, value: two words}
          - executable: {cmd: "echo $(var text) end", name: echo, cwd: /tmp, launch-prefix: "nice -n 5"}
        """)
    (process,) = load(file)
    assert process.command == ("nice", "-n", "5", "echo", "two words", "end")
    assert (process.name, process.directory) == ("echo-1", "/tmp")


def test_timers_delay_and_add_up(write):
    file = write(f"""
        launch:
          - timer:
              period: 2.0
              children:
                - node: {{{NODE}}}
                - timer: {{period: "$(eval '1 / 2')", children: [node: {{{NODE}}}]}}
          - node: {{{NODE}}}
        """)
    assert [process.start_delay_s for process in load(file)] == [2.0, 2.5, 0.0]


def test_respawn_and_stopping(write):
    file = write(f"""
        launch:
          - node: {{{NODE}, respawn: true, respawn_delay: 0.5, respawn_max_retries: 3}}
          - node: {{{NODE}, respawn: "true", respawn_max_retries: -1, sigterm_timeout: 1.0, sigkill_timeout: 2.5}}
          - node: {{{NODE}, on_exit: shutdown}}
        """)
    limited, endless, required = load(file)
    assert limited.respawn == Respawn(0.5, 3)
    assert endless.respawn == Respawn(0.0, None)
    assert (endless.sigterm_timeout_s, endless.sigkill_timeout_s) == (1.0, 2.5)
    assert required.respawn is None
    assert required.shutdown_on_exit


def test_anchors_can_be_used(write):
    file = write(f"""
        launch:
          - node: {{{NODE}, param: &shared [{{name: a, value: 1}}]}}
          - node: {{{NODE}, param: *shared}}
        """)
    first, second = load(file)
    assert ros_arguments(first) == ros_arguments(second)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("launch: [nod: {}]", r":1: unknown or unsupported action 'nod', supported are arg, .*node"),
        (f"launch:\n  - node: {{{NODE}, parm: []}}", r":2: node: unknown keys parm, known are .*param"),
        ("launch:\n  - node: {pkg: launch_test_package}", r":2: node: 'exec' is missing"),
        ("launch: [node: {pkg: no_such_package, exec: x}]", "no_such_package"),
        ("launch: [node: {pkg: launch_test_package, exec: x}]", "no executable 'x', it has talker"),
        (f"launch: [node: {{{NODE}, if: true}}]", "'if' must be a text, not True: quote it"),
        (f'launch: [node: {{{NODE}, if: "maybe"}}]', "'maybe', it must be true, 1, false or 0"),
        (f'launch: [node: {{{NODE}, if: "1", unless: "1"}}]', "exclude each other"),
        (f"launch: [node: {{{NODE}, args: 5}}]", "'args' must be a text"),
        (f"launch: [node: {{{NODE}, param: {{a: 1}}}}]", "'param' must be a list of mappings"),
        (f"launch: [node: {{{NODE}, param: [{{name: a}}]}}]", "either 'value' or nested"),
        (f"launch: [node: {{{NODE}, param: [{{from: /nowhere.yaml}}]}}]", "'/nowhere.yaml' does not exist"),
        (f"launch: [node: {{{NODE}, param: [{{name: a, value: 1, type: int}}]}}]", "unknown keys type"),
        (f"launch: [node: {{{NODE}, remap: [{{from: a}}]}}]", "'to' is missing"),
        (f"launch: [node: {{{NODE}, output: full}}]", "'full', supported are screen, log, both"),
        (f"launch: [node: {{{NODE}, on_exit: restart}}]", "knows 'shutdown' only"),
        (f"launch: [node: {{{NODE}, respawn_delay: -1.0}}]", "0.0 or more"),
        (f"launch: [node: {{{NODE}, sigterm_timeout: 35}}]", "'sigterm_timeout' is 35, it must be .* a point"),
        (f'launch: [node: {{{NODE}, sigkill_timeout: "2.5"}}]', "'sigkill_timeout' is '2.5', it must be .* a point"),
        (f"launch: [node: {{{NODE}, args: $(var x)}}]", "variable 'x' is not set"),
        ("launch: [arg: {name: a, default: 1}]", "'default' must be a text, not 1: quote it"),
        ("launch: [let: {name: a}]", "'value' is missing"),
        ("launch: [timer: {children: []}]", "'period' is missing"),
        ("launch: [executable: {name: a}]", "'cmd' is missing"),
        ("launch: [include: {file: relative.yaml}]", r"\$\(dirname\)/relative.yaml"),
        ("launch: [include: {file: /nowhere.yaml}]", "cannot read launch file '/nowhere.yaml'"),
        ("launch: [group: {actions: []}]", "mapping with 'children'"),
        ("launch: [{arg: {name: a}, let: {}}]", "one key, its name"),
        ("launch: {}", "a list of actions"),
        ("lunch: []", "one key 'launch'"),
        ("launch: [\n  a: }", "no valid YAML"),
        ("launch:\n  - let: {name: a, name: b}", r":2: no valid YAML: key 'name' is there twice"),
    ],
)
def test_errors_name_place_and_remedy(write, content, message):
    with pytest.raises(LaunchError, match=message):
        load(write(content))


def test_declared_arguments(write):
    write('launch: [arg: {name: inner, default: "2"}, arg: {name: passed}]', "included.launch.yaml")
    file = write(f"""
        launch:
          - arg: {{name: robot, description: which one}}
          - arg: {{name: level, default: "1", choice: [{{value: "1"}}, {{value: "2"}}]}}
          - include: {{file: $(dirname)/included.launch.yaml}}
          - node: {{{NODE}, args: "$(var robot)"}}
        """)
    assert declared_arguments(file) == [
        DeclaredArgument("robot", None, "which one"),
        DeclaredArgument("level", "1", "", ("1", "2")),
        DeclaredArgument("inner", "2"),
        DeclaredArgument("passed"),
    ]
