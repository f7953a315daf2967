"""Recording and alerting rules for Prometheus.

The rules are made from the configured objectives and the metric catalogue.
"""

from runtype_exporter.rules.files import RuleFile, as_yaml, rule_files, text_of
from runtype_exporter.rules.rule import RUNBOOKS, AlertRule, RecordingRule, RuleGroup, Severity
from runtype_exporter.rules.windows import BURN_WINDOWS, BurnWindow, scaled_windows

__all__ = [
    "BURN_WINDOWS",
    "RUNBOOKS",
    "AlertRule",
    "BurnWindow",
    "RecordingRule",
    "RuleFile",
    "RuleGroup",
    "Severity",
    "as_yaml",
    "rule_files",
    "scaled_windows",
    "text_of",
]
