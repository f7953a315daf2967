"""The configuration file, as frozen values or as a list of all its errors.

Each error has its file, line and key.
"""

from runtype_exporter.config.accounts import Account, CollectorSwitches, ConfiguredBatch
from runtype_exporter.config.errors import ConfigError, Problem
from runtype_exporter.config.globs import Globs
from runtype_exporter.config.loading import load
from runtype_exporter.config.schema import Config, Meaning, Metrics, Poll, State
from runtype_exporter.config.secrets import Secret, SecretError
from runtype_exporter.config.slos import Slo

__all__ = [
    "Account",
    "CollectorSwitches",
    "Config",
    "ConfigError",
    "ConfiguredBatch",
    "Globs",
    "Meaning",
    "Metrics",
    "Poll",
    "Problem",
    "Secret",
    "SecretError",
    "Slo",
    "State",
    "load",
]
