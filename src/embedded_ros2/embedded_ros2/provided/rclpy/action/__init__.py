"""Actions, as in rclpy: goals that take time, with feedback, results and cancellation."""

from .client import ActionClient as ActionClient
from .graph import get_action_client_names_and_types_by_node as get_action_client_names_and_types_by_node
from .graph import get_action_names_and_types as get_action_names_and_types
from .graph import get_action_server_names_and_types_by_node as get_action_server_names_and_types_by_node
from .server import ActionServer as ActionServer
from .server import CancelResponse as CancelResponse
from .server import GoalResponse as GoalResponse
