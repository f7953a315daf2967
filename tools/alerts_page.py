"""Generate docs/alerts.md: every alert, and everything that the rules record."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from runtype_exporter.config.durations import written_duration
from runtype_exporter.rules import AlertRule, RecordingRule, RuleFile

_TEMPLATE = re.compile(r"\{\{ \$(?:labels\.)?(\w+)(?: \| [^}]+)? \}\}")

_HEAD = """# Alerts

Made from `runtype_exporter/rules/` and the default configuration by `make docs`; edit those, not this page.

`runtype-exporter rules --out DIR` makes the same rules of your own configuration; those of the default one lie in
[`prometheus/rules/`](../prometheus/rules/), and as rules that Grafana manages in
[`grafana/provisioning/alerting/`](../grafana/provisioning/alerting/). *critical* is meant to wake somebody, *warning* to be looked at
today, *info* to be read beside another alert. An alert fires once its expression has held for the time under *for*, and goes on for the
time under *keeps* after it held last. Why the alerts on error budgets are as they are: [slo.md](slo.md)."""


def alerts_page(files: Sequence[RuleFile]) -> str:
    """Return the text of the page."""
    return "\n".join(_lines(files))


def _lines(files: Sequence[RuleFile]) -> Iterator[str]:
    yield _HEAD
    alerts = _merged(
        rule
        for file in files
        for group in file.groups
        for rule in group.rules
        if isinstance(rule, AlertRule)
    )
    yield ""
    yield "| alert | severity | for | keeps | tells |"
    yield "| --- | --- | --- | --- | --- |"
    for same in alerts:
        severities = " or ".join(dict.fromkeys(alert.severity for alert in same))
        keeps = ", ".join(
            filter(None, dict.fromkeys(_time(alert.keep_firing_for) for alert in same))
        )
        name, hold, tells = same[0].name, _time(same[0].pending_for), _plain(same[0].summary)
        yield f"| [`{name}`](#{name.lower()}) | {severities} | {hold} | {keeps} | {tells} |"
    for same in alerts:
        yield ""
        yield f"## {same[0].name}"
        yield ""
        yield f"{_plain(same[0].description)} [What to do](runbooks/{same[0].name}.md)."
        yield ""
        if len(same) > 1:
            yield (
                f"One of {len(same)} rules with this name, one for each objective and pair of"
                " windows:"
            )
            yield ""
        yield "```promql"
        yield same[0].expr
        yield "```"
    yield ""
    yield "## What is recorded"
    yield ""
    yield (
        "Evaluated every minute, or every four where the window is a day or longer. Those of"
        " objectives exist once for each objective."
    )
    yield ""
    yield "| record | from |"
    yield "| --- | --- |"
    seen: set[str] = set()
    for file in files:
        for group in file.groups:
            for rule in group.rules:
                if isinstance(rule, RecordingRule) and rule.name not in seen:
                    seen.add(rule.name)
                    yield (
                        f"| `{rule.name}` | `{file.name}`, every"
                        f" {written_duration(group.interval)} |"
                    )
    yield ""


def _merged(alerts: Iterator[AlertRule]) -> list[list[AlertRule]]:
    """Group the alerts by name."""
    found: dict[str, list[AlertRule]] = {}
    for alert in alerts:
        found.setdefault(alert.name, []).append(alert)
    return list(found.values())


def _plain(text: str) -> str:
    """Return a template as readable text, with *account* in place of `{{ $labels.account }}`."""
    return _TEMPLATE.sub(lambda found: f"*{found[1]}*", text).replace("|", "\\|")


def _time(seconds: float) -> str:
    return written_duration(seconds) if seconds else ""
