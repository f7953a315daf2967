"""The Prometheus exporter for Runtype: every record result of a batch execution counted exactly once."""

__version__ = "0.1.0"
