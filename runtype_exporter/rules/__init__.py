"""What Prometheus is to record and when it is to alert.

Rules made from the configured objectives and the metric catalogue.

It must not know how anything is counted or polled; it names metrics by their declarations, and
reads nothing at run time.
"""

from runtype_exporter.rules.files import RuleFile, as_yaml, rule_files, text_of
from runtype_exporter.rules.rule import RUNBOOKS, Alert, Group, Record, Severity
from runtype_exporter.rules.windows import BURN_WINDOWS, BurnWindow, scaled

__all__ = [
    "BURN_WINDOWS",
    "RUNBOOKS",
    "Alert",
    "BurnWindow",
    "Group",
    "Record",
    "RuleFile",
    "Severity",
    "as_yaml",
    "rule_files",
    "scaled",
    "text_of",
]
