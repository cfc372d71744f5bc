"""The service and its command: receives, remembers, schedules, sends."""

__version__ = "0.1.0"
