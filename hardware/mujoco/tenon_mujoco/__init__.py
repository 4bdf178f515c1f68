"""The simulated arm behind the topics of a real one."""
