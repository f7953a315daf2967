"""Generate docs/alerts.md: every alert, and everything that the rules record."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from runtype_exporter.config.durations import written_duration
from runtype_exporter.rules import AlertRule, RecordingRule, RuleFile, RuleGroup

_TEMPLATE = re.compile(r"\{\{ \$(?:labels\.)?(\w+)(?: \| [^}]+)? \}\}")

_HEAD = (
    "# Alerts\n"
    "\n"
    "Made from `runtype_exporter/rules/` and the default configuration by `make docs`; edit"
    " those, not this page.\n"
    "\n"
    "`runtype-exporter rules --out DIR` makes the same rules of your own configuration; those of"
    " the default one lie in\n"
    "[`prometheus/rules/`](../prometheus/rules/), and as rules that Grafana manages in\n"
    "[`grafana/provisioning/alerting/`](../grafana/provisioning/alerting/). *critical* is meant"
    " to wake somebody, *warning* to be looked at\n"
    "today, *info* to be read with another alert. An alert fires once its expression has held"
    " for the time under *for*, and goes on for the\n"
    "time under *keeps* after it held last. Why the alerts on error budgets are as they are:"
    " [slo.md](slo.md)."
)


def alerts_page(files: Sequence[RuleFile]) -> str:
    """Return the text of the page."""
    by_name = _by_name(files)
    return "\n".join([_HEAD, *_overview(by_name), *_sections(by_name), *_recorded(files)])


def _by_name(files: Sequence[RuleFile]) -> dict[str, list[AlertRule]]:
    """Return all alerts by name. There may be several of one name."""
    found: dict[str, list[AlertRule]] = {}
    for _, _, rule in _rules(files):
        if isinstance(rule, AlertRule):
            found.setdefault(rule.name, []).append(rule)
    return found


def _rules(
    files: Sequence[RuleFile],
) -> Iterator[tuple[RuleFile, RuleGroup, RecordingRule | AlertRule]]:
    for file in files:
        for group in file.groups:
            for rule in group.rules:
                yield file, group, rule


def _overview(by_name: Mapping[str, Sequence[AlertRule]]) -> Iterator[str]:
    yield ""
    yield "| alert | severity | for | keeps | tells |"
    yield "| --- | --- | --- | --- | --- |"
    for name, alerts in by_name.items():
        severities = " or ".join(dict.fromkeys(alert.severity for alert in alerts))
        pending = _duration(alerts[0].pending_for)
        durations = dict.fromkeys(_duration(alert.keep_firing_for) for alert in alerts)
        keep_firing = ", ".join(filter(None, durations))
        summary = _plain(alerts[0].summary)
        link = f"[`{name}`](#{name.lower()})"
        yield f"| {link} | {severities} | {pending} | {keep_firing} | {summary} |"


def _sections(by_name: Mapping[str, Sequence[AlertRule]]) -> Iterator[str]:
    for name, alerts in by_name.items():
        yield ""
        yield f"## {name}"
        yield ""
        yield f"{_plain(alerts[0].description)} [What to do](runbooks/{name}.md)."
        yield ""
        if len(alerts) > 1:
            yield (
                f"One of {len(alerts)} rules with this name, one for each objective and pair of"
                " windows:"
            )
            yield ""
        yield "```promql"
        yield alerts[0].expr
        yield "```"


def _recorded(files: Sequence[RuleFile]) -> Iterator[str]:
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
    for file, group, rule in _rules(files):
        if isinstance(rule, RecordingRule) and rule.name not in seen:
            seen.add(rule.name)
            interval = written_duration(group.interval)
            yield f"| `{rule.name}` | `{file.name}`, every {interval} |"
    yield ""


def _plain(text: str) -> str:
    """Return a template as readable text, with *account* in place of `{{ $labels.account }}`."""
    return _TEMPLATE.sub(lambda found: f"*{found[1]}*", text).replace("|", "\\|")


def _duration(seconds: float) -> str:
    return written_duration(seconds) if seconds else ""
