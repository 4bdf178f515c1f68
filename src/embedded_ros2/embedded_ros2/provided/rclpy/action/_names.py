"""The services and topics that an action consists of."""

from __future__ import annotations

SEND_GOAL = "/_action/send_goal"
CANCEL_GOAL = "/_action/cancel_goal"
GET_RESULT = "/_action/get_result"
FEEDBACK = "/_action/feedback"
STATUS = "/_action/status"
FEEDBACK_TYPE_SUFFIX = "_FeedbackMessage"
