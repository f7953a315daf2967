"""The Prometheus exporter for Runtype.

Every record result of a batch execution counted exactly once.
"""

__version__ = "0.1.0"
