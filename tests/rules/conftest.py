"""Configurations for the tests of rules, and the rules made from them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from runtype_exporter.config import Account, Config, Poll, Secret, Slo
from runtype_exporter.rules import AlertRule, RecordingRule, RuleGroup, rule_files

DAY = 86400.0
ROOT = Path(__file__).parents[2]


def account(name: str = "acme", requests_per_hour: int = 1000) -> Account:
    return Account(
        name=name, api_key=Secret(env="ACME_KEY", environ={}), requests_per_hour=requests_per_hour
    )


def config(
    *slos: Slo, accounts: tuple[Account, ...] = (account(),), interval: float = 60.0
) -> Config:
    return Config(accounts=accounts, slos=slos, poll=Poll(interval=interval))


def success(
    name: str = "ok", objective: str = "99", window: float = 30 * DAY, min_bad: int = 2
) -> Slo:
    return Slo(
        name=name, type="success", objective=Decimal(objective), window=window, min_bad=min_bad
    )


def groups(of: Config) -> list[RuleGroup]:
    return [group for file in rule_files(of) for group in file.groups]


def rules(of: Config) -> list[RecordingRule | AlertRule]:
    return [rule for group in groups(of) for rule in group.rules]


def alerts(of: Config) -> list[AlertRule]:
    return [rule for rule in rules(of) if isinstance(rule, AlertRule)]


def records(of: Config) -> dict[str, RecordingRule]:
    return {rule.name: rule for rule in rules(of) if isinstance(rule, RecordingRule)}
