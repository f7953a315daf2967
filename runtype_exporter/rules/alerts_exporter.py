"""Alerts on the exporter itself: does it run, reach the API, keep up, and show correct data?"""

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
from runtype_exporter.limits import HOUR, MINUTE
from runtype_exporter.rules.counters import across_instances
from runtype_exporter.rules.rule import AlertRule
from runtype_exporter.rules.slo import YOUNG_LEDGER


def exporter_alerts(stale_after: float) -> tuple[AlertRule, ...]:
    """Return the alerts. `stale_after`: how old the last successful cycle may be, in seconds."""
    return (*_process_alerts(stale_after), *_api_alerts(), *_storage_alerts())


def _process_alerts(stale_after: float) -> tuple[AlertRule, ...]:
    polled = across_instances(LAST_SUCCESSFUL_POLL.name)
    # If one of several exporters of a job is down, the job still answers, and there is no series of
    # the account that could be old.
    last_values = f"last_over_time({LAST_SUCCESSFUL_POLL.name}[2d]) and on (job, instance) up == 0"
    down = across_instances(f"{last_values} and on (job) {BUILD_INFO.name}")
    # The time of the last successful cycle is kept in memory. After a start that never reached the
    # API there is none.
    never = across_instances(
        f"0 * {POLLS.name} + ignoring (account) group_left () {CONFIG_RELOAD_TIME.name}"
    )
    unauthorised = f'{POLL_FAILURES.name}{{reason="unauthorised"}}'
    versions = f"max without (instance, pod, {', '.join(BUILD_INFO.labels)})"
    return (
        AlertRule(
            name="RuntypeExporterDown",
            severity="critical",
            expr=(
                f"{versions} (last_over_time({BUILD_INFO.name}[2d]))\nunless\n{versions}"
                f" ({BUILD_INFO.name})"
            ),
            pending_for=5 * MINUTE,
            summary="No runtype-exporter answers",
            description=(
                "Prometheus scraped a runtype-exporter within the past two days and gets no answer"
                " now. Batches, schedules and objectives are not watched. Nothing is lost: what"
                " ends meanwhile is counted once it runs again."
            ),
        ),
        AlertRule(
            name="RuntypeExporterStale",
            severity="critical",
            expr=f"""time() - (
  {polled}
or
  {down}
or
  {never}
) > {stale_after:.0f}""",
            pending_for=MINUTE,
            summary="{{ $labels.account }} has not been polled for {{ $value | humanizeDuration }}",
            description=(
                "No cycle of {{ $labels.account }} has ended well for"
                " {{ $value | humanizeDuration }}, or its exporter does not answer. What its"
                " metrics say is that old, and no error budget is judged until it is polled again."
            ),
        ),
        AlertRule(
            name="RuntypeUnauthorised",
            severity="critical",
            expr=f"""sum without (instance, pod, reason) (increase({unauthorised}[15m])) > 0
and
{across_instances(UP.name)} == 0""",
            pending_for=2 * MINUTE,
            summary="Runtype refuses the key of {{ $labels.account }}",
            description=(
                "The API answers 401 to the key of {{ $labels.account }}. It is asked once a"
                " minute; a new key is taken up without a restart."
            ),
        ),
        AlertRule(
            name="RuntypeLedgerYoung",
            severity="info",
            expr=f"time() - {across_instances(LEDGER_CREATED.name)} < {YOUNG_LEDGER:.0f}",
            summary="The ledger is {{ $value | humanizeDuration }} old",
            description=(
                "A ledger was created {{ $value | humanizeDuration }} ago. Counters begin at 0, and"
                f" alerts on error budgets wait until it is {written_duration(YOUNG_LEDGER)} old."
                " If this was no first start, the ledger's volume was lost."
            ),
        ),
    )


def _api_alerts() -> tuple[AlertRule, ...]:
    return (
        AlertRule(
            name="RuntypeThrottled",
            severity="warning",
            expr=f"{across_instances(API_THROTTLED_UNTIL.name)} > time() - {5 * MINUTE:.0f}",
            pending_for=30 * MINUTE,
            summary="Runtype throttles {{ $labels.account }}",
            description=(
                "For half an hour the API has asked for one pause after the other (Retry-After)."
                " Sweeps of {{ $labels.account }} wait. Something else may use the key's limit."
            ),
        ),
        AlertRule(
            name="RuntypeCollectorDown",
            severity="warning",
            expr=f"{across_instances(COLLECTOR_UP.name)} == 0",
            pending_for=15 * MINUTE,
            summary="{{ $labels.collector }} of {{ $labels.account }} cannot be read",
            description=(
                "The collector {{ $labels.collector }} of {{ $labels.account }} is forbidden, or"
                " failed three times in a row, or for three batches. What only it shows is missing;"
                " the other collectors go on."
            ),
        ),
        AlertRule(
            name="RuntypeSweepsWaiting",
            severity="warning",
            expr=f"time() - {across_instances(OLDEST_PENDING_SWEEP.name)} > {HOUR:.0f}",
            pending_for=5 * MINUTE,
            summary=(
                "A batch of {{ $labels.account }} waits to be read for"
                " {{ $value | humanizeDuration }}"
            ),
            description=(
                "The request budget of {{ $labels.account }} does not carry its batches: the oldest"
                " sweep has waited for {{ $value | humanizeDuration }}. Nothing is lost, but"
                " counters lag behind by that much."
            ),
        ),
        AlertRule(
            name="RuntypeDrift",
            severity="warning",
            expr=f"{across_instances(RECONCILIATION_DRIFT.name)} > 0",
            pending_for=HOUR,
            summary="Runtype lists {{ $value }} records more or fewer than it counts",
            description=(
                "For an hour the API's own totals of the batches of {{ $labels.schedule }}"
                " ({{ $labels.account }}) and the different rows that it lists have differed by"
                " {{ $value }} records. The counters have what was listed."
            ),
        ),
    )


def _storage_alerts() -> tuple[AlertRule, ...]:
    failures = f"max without (pod) (increase({LEDGER_FAILURES.name}[10m]))"
    return (
        AlertRule(
            name="RuntypeConfigReloadFailed",
            severity="warning",
            expr=f"max without (pod) ({CONFIG_RELOAD_SUCCESSFUL.name}) == 0",
            pending_for=5 * MINUTE,
            summary="{{ $labels.instance }} runs with an old configuration",
            description=(
                "The last reload was refused, and the configuration before it stays in force. The"
                " log of {{ $labels.instance }} names every error with its line."
            ),
        ),
        AlertRule(
            name="RuntypeLedgerFailing",
            severity="critical",
            # Failures must continue for longer than each of them is looked back at, so that a
            # single failed operation does not fire.
            expr=f"""sum_over_time(({failures} > bool 0)[11m:1m]) >= 11
or
max without (pod) ({LEDGER_UP.name}) == 0""",
            pending_for=MINUTE,
            summary="The ledger of {{ $labels.instance }} fails",
            description=(
                "Operations of the ledger fail, or its file or write-ahead log was deleted,"
                " replaced or cut short while it was in use. Polling pauses and goes on by itself;"
                " until then nothing new is counted. The log of {{ $labels.instance }} says which."
                " Is the disk full, or failing? Where did the file go?"
            ),
        ),
        AlertRule(
            name="RuntypeSeriesLimit",
            severity="warning",
            expr=f"""sum without (instance, pod, kind) (increase({SERIES_DROPPED.name}[1h])) > 0
or
{across_instances(SERIES.name)} >= {across_instances(SERIES_LIMIT.name)}""",
            pending_for=5 * MINUTE,
            summary="runtype-exporter has more to show than metrics.max_series allows",
            description=(
                "Gauges of single batches are left out, and new schedules and flows share the label"
                " set __overflow__. Totals stay right; details are missing."
            ),
        ),
    )
