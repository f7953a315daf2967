"""Alerts on the exporter itself.

Is it there, does it reach the API, does it keep up, can what it says be trusted?
"""

from __future__ import annotations

from runtype_exporter.catalogue import (
    API_THROTTLED_UNTIL,
    BUILD_INFO,
    COLLECTOR_UP,
    CONFIG_RELOAD_SUCCESSFUL,
    CONFIG_RELOAD_TIME,
    LAST_SUCCESSFUL_POLL,
    LEDGER_CREATED,
    LEDGER_FAILURES,
    LEDGER_UP,
    OLDEST_PENDING_SWEEP,
    POLL_FAILURES,
    POLLS,
    RECONCILIATION_DRIFT,
    SERIES,
    SERIES_DROPPED,
    SERIES_LIMIT,
    UP,
)
from runtype_exporter.config.durations import written_duration
from runtype_exporter.rules.counters import served
from runtype_exporter.rules.rule import Alert
from runtype_exporter.rules.slo import YOUNG
from runtype_exporter.rules.windows import HOUR, MINUTE


def exporter_alerts(stale_after: float) -> tuple[Alert, ...]:
    """The alerts. `stale_after` in seconds: how old the last good cycle may be."""
    return (*_running(stale_after), *_reading(), *_keeping())


def _running(stale_after: float) -> tuple[Alert, ...]:
    polled = served(LAST_SUCCESSFUL_POLL.name)
    # One exporter of several of a job is down: the job answers, and the account has no series that
    # could be old.
    gone = f"last_over_time({LAST_SUCCESSFUL_POLL.name}[2d]) and on (job, instance) up == 0"
    silenced = served(f"{gone} and on (job) {BUILD_INFO.name}")
    # The time of the last good cycle is the process's own: after a start that reached nothing there
    # is none.
    never = served(f"0 * {POLLS.name} + ignoring (account) group_left () {CONFIG_RELOAD_TIME.name}")
    versions = f"max without (instance, pod, {', '.join(BUILD_INFO.labels)})"
    return (
        Alert(
            name="RuntypeExporterDown",
            severity="critical",
            expr=(
                f"{versions} (last_over_time({BUILD_INFO.name}[2d]))\nunless\n{versions}"
                f" ({BUILD_INFO.name})"
            ),
            hold=5 * MINUTE,
            summary="No runtype-exporter answers",
            description=(
                "Prometheus scraped a runtype-exporter within the past two days and gets no answer"
                " now. Batches, schedules and objectives are not watched. Nothing is lost: what"
                " ends meanwhile is counted once it runs again."
            ),
        ),
        Alert(
            name="RuntypeExporterStale",
            severity="critical",
            expr=f"""time() - (
  {polled}
or
  {silenced}
or
  {never}
) > {stale_after:.0f}""",
            hold=MINUTE,
            summary="{{ $labels.account }} has not been polled for {{ $value | humanizeDuration }}",
            description=(
                "No cycle of {{ $labels.account }} has ended well for {{ $value | humanizeDuration"
                " }}, or its exporter does not answer. What its metrics say is that old, and no"
                " error budget is judged until it is polled again."
            ),
        ),
        Alert(
            name="RuntypeUnauthorised",
            severity="critical",
            expr=f"""sum without (instance, pod, reason) (increase({POLL_FAILURES.name}{{reason="unauthorised"}}[15m])) > 0
and
{served(UP.name)} == 0""",
            hold=2 * MINUTE,
            summary="Runtype refuses the key of {{ $labels.account }}",
            description=(
                "The API answers 401 to the key of {{ $labels.account }}. It is asked once a"
                " minute; a new key is taken up without a restart."
            ),
        ),
        Alert(
            name="RuntypeLedgerYoung",
            severity="info",
            expr=f"time() - {served(LEDGER_CREATED.name)} < {YOUNG:.0f}",
            summary="The ledger is {{ $value | humanizeDuration }} old",
            description=(
                "A ledger was created {{ $value | humanizeDuration }} ago. Counters begin at"
                f" 0, and alerts on error budgets wait until it is {written_duration(YOUNG)} old."
                " If this was no first start, the ledger's volume was lost."
            ),
        ),
    )


def _reading() -> tuple[Alert, ...]:
    return (
        Alert(
            name="RuntypeThrottled",
            severity="warning",
            expr=f"{served(API_THROTTLED_UNTIL.name)} > time() - {5 * MINUTE:.0f}",
            hold=30 * MINUTE,
            summary="Runtype throttles {{ $labels.account }}",
            description=(
                "For half an hour the API has asked for one pause after the other (Retry-After)."
                " Sweeps of {{ $labels.account }} wait. Something else may use the key's limit."
            ),
        ),
        Alert(
            name="RuntypeCollectorDown",
            severity="warning",
            expr=f"{served(COLLECTOR_UP.name)} == 0",
            hold=15 * MINUTE,
            summary="{{ $labels.collector }} of {{ $labels.account }} cannot be read",
            description=(
                "The collector {{ $labels.collector }} of {{ $labels.account }} is forbidden, or"
                " failed three times running. Its gauges are withdrawn; the other collectors go on."
            ),
        ),
        Alert(
            name="RuntypeSweepsWaiting",
            severity="warning",
            expr=f"time() - {served(OLDEST_PENDING_SWEEP.name)} > {HOUR:.0f}",
            hold=5 * MINUTE,
            summary=(
                "A batch of {{ $labels.account }} waits to be read for {{ $value |"
                " humanizeDuration }}"
            ),
            description=(
                "The request budget of {{ $labels.account }} does not carry its batches: the oldest"
                " sweep has waited for {{ $value | humanizeDuration }}. Nothing is lost, but"
                " counters lag behind by that much."
            ),
        ),
        Alert(
            name="RuntypeDrift",
            severity="warning",
            expr=f"{served(RECONCILIATION_DRIFT.name)} > 0",
            hold=HOUR,
            summary="Runtype lists {{ $value }} records more or fewer than it counts",
            description=(
                "For an hour the API's own totals of the batches of {{ $labels.schedule }} ({{"
                " $labels.account }}) and the different rows that it lists have differed by {{"
                " $value }} records. The counters have what was listed."
            ),
        ),
    )


def _keeping() -> tuple[Alert, ...]:
    return (
        Alert(
            name="RuntypeConfigReloadFailed",
            severity="warning",
            expr=f"max without (pod) ({CONFIG_RELOAD_SUCCESSFUL.name}) == 0",
            hold=5 * MINUTE,
            summary="{{ $labels.instance }} runs with an old configuration",
            description=(
                "The last reload was refused, and the configuration before it stays in force. The"
                " log of {{ $labels.instance }} names every error with its line."
            ),
        ),
        Alert(
            name="RuntypeLedgerFailing",
            severity="critical",
            # Failures must go on for longer than each of them is looked back at, so that one
            # operation that failed wakes nobody.
            expr=f"""sum_over_time((max without (pod) (increase({LEDGER_FAILURES.name}[10m])) > bool 0)[11m:1m]) >= 11
or
max without (pod) ({LEDGER_UP.name}) == 0""",
            hold=MINUTE,
            summary="The ledger of {{ $labels.instance }} fails",
            description=(
                "Operations of the ledger fail, or its file or write-ahead log was deleted,"
                " replaced or cut short while it was in use. Polling pauses and goes on by itself;"
                " until then nothing new is counted. The log of {{ $labels.instance }} says which."
                " Is the disk full, or failing? Where did the file go?"
            ),
        ),
        Alert(
            name="RuntypeSeriesLimit",
            severity="warning",
            expr=f"""sum without (instance, pod, kind) (increase({SERIES_DROPPED.name}[1h])) > 0
or
{served(SERIES.name)} >= {served(SERIES_LIMIT.name)}""",
            hold=5 * MINUTE,
            summary="runtype-exporter has more to show than metrics.max_series allows",
            description=(
                "Gauges of single batches are left out, and new schedules and flows share the label"
                " set __overflow__. Totals stay right; details are missing."
            ),
        ),
    )
