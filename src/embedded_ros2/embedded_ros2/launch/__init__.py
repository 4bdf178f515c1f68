"""YAML launch files of ``launch_ros`` where no ROS 2 is installed; the same files run under ``ros2 launch``.

>>> processes = load("session.launch.yaml", {"robot": "sim"})
>>> Launcher(processes).run().failures
[]
"""

from embedded_ros2.launch.errors import LaunchError as LaunchError
from embedded_ros2.launch.errors import Place as Place
from embedded_ros2.launch.launcher import Launcher as Launcher
from embedded_ros2.launch.launcher import LaunchResult as LaunchResult
from embedded_ros2.launch.launcher import ProcessExit as ProcessExit
from embedded_ros2.launch.loader import declared_arguments as declared_arguments
from embedded_ros2.launch.loader import load as load
from embedded_ros2.launch.specification import DeclaredArgument as DeclaredArgument
from embedded_ros2.launch.specification import InlineParameters as InlineParameters
from embedded_ros2.launch.specification import ProcessSpec as ProcessSpec
from embedded_ros2.launch.specification import Respawn as Respawn
