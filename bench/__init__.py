"""The harness: suite -> plan -> run -> store -> statistics -> verdict -> report, data flowing one way."""

__version__ = "0.1.0"
