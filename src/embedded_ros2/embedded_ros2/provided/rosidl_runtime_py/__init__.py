"""What is provided of the real ``rosidl_runtime_py``: ``utilities``."""
