"""What a person configures.

One YAML file turned into frozen values, or every error in it at once with file, line and path.

It must not know what the values are for: no API, no ledger, no metric but the catalogue's defaults.
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
