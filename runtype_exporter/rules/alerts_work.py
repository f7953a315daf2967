"""Alerts on the work of Runtype: batches, records, schedules, cost and the limits of the plan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from runtype_exporter.catalogue import (
    BATCH_LAST_RESULT,
    BATCH_PROCESSED,
    BATCH_STARTED,
    BATCH_STATE,
    BATCHES_FINISHED,
    BATCHES_GIVEN_UP,
    COST,
    RECORDS_FINISHED,
    SCHEDULE_ENABLED,
    SCHEDULE_INFO,
    SCHEDULE_RUNS_FINISHED,
    SCHEDULE_STARTS,
    USAGE_EXECUTIONS,
    USAGE_LIMIT,
    USAGE_SLOW_MODE,
)
from runtype_exporter.limits import DAY, HOUR, MINUTE
from runtype_exporter.rules.counters import across_instances, copy_name
from runtype_exporter.rules.outcomes import BAD_RECORDS, FAILED_BATCHES, JUDGED_RECORDS
from runtype_exporter.rules.rule import AlertRule

DURATION_P95: Final = "runtype:batch_duration_seconds:p95_14d"
LATENCY_P90_NOW: Final = "runtype:record_latency_seconds:p90_1h"
LATENCY_P90_USUAL: Final = "runtype:record_latency_seconds:p90_7d"
COST_OF_A_DAY: Final = "runtype:cost_dollars:increase1d"
MIN_BATCHES: Final = 5
"""The number of batches that must have ended before a batch is compared with them."""
MIN_RESULTS: Final = 50
"""The number of results that are needed before their latency is compared."""

_STUCK_AFTER: Final = 30 * MINUTE
_NEVER_OVERDUE: Final = 15 * MINUTE

_ONE: Final = "schedule {{ $labels.schedule }} of {{ $labels.account }}"
_FLOW: Final = (
    "flow {{ $labels.flow }}, schedule {{ $labels.schedule }}, account {{ $labels.account }}"
)


def work_alerts() -> Iterator[AlertRule]:
    """Return the alerts."""
    yield from _batches()
    yield from _schedules()
    yield from _plan()


def _batches() -> Iterator[AlertRule]:
    finished = copy_name(RECORDS_FINISHED, HOUR)
    failed = f"{finished}{{{BAD_RECORDS}}}[1h]"
    bad = f"sum without (outcome) (increase({failed}))"
    # The difference is checked too, because `increase` extrapolates: it turns the first seven
    # failures of a new flow into ten.
    counted = f"sum without (outcome) (max_over_time({failed}) - min_over_time({failed}))"
    judged = f"sum without (outcome) (increase({finished}{{{JUDGED_RECORDS}}}[1h]))"
    yield AlertRule(
        name="RuntypeBatchFailing",
        severity="warning",
        expr=f"{bad} / {judged} > 0.2\nand\n{bad} >= 10\nand\n{counted} >= 10",
        keep_firing_for=15 * MINUTE,
        summary="{{ $value | humanizePercentage }} of the records of {{ $labels.flow }} fail",
        description=(
            "Of the results of the past hour {{ $value | humanizePercentage }} failed, and ten or"
            " more of them: "
            f"{_FLOW}."
        ),
    )
    ended = f"increase({copy_name(BATCHES_FINISHED, HOUR)}{{{FAILED_BATCHES}}}[1h])"
    yield AlertRule(
        name="RuntypeBatchFailed",
        severity="warning",
        expr=f"sum without (outcome) (round({ended})) >= 1",
        summary="A batch of {{ $labels.flow }} failed as a whole",
        description=(
            f"{{{{ $value | humanize }}}} batches of the past hour ended as failed: {_FLOW}."
        ),
    )
    given_up = f"increase({copy_name(BATCHES_GIVEN_UP, HOUR)}[1h])"
    yield AlertRule(
        name="RuntypeBatchGivenUp",
        severity="warning",
        expr=f"round({given_up}) >= 1",
        summary="A batch of {{ $labels.account }} is no longer read ({{ $labels.reason }})",
        description=(
            "{{ $value | humanize }} batches of {{ $labels.account }} were given up in the past"
            " hour, because they were {{ $labels.reason }}. Records of them that were not read are"
            " not counted."
        ),
    )
    running = f'max without (instance, pod, state) ({BATCH_STATE.name}{{state="running"}}) == 1'
    unfinished = (
        f'max without (instance, pod, state) ({BATCH_STATE.name}{{state=~"queued|running"}}) == 1'
    )
    yield AlertRule(
        name="RuntypeBatchStuck",
        severity="warning",
        expr=f"""time() - (
  {across_instances(BATCH_LAST_RESULT.name)}
or
  {across_instances(BATCH_STARTED.name)}
) > {_STUCK_AFTER:.0f}
and
{running}
unless
{across_instances(f"delta({BATCH_PROCESSED.name}[30m])")} > 0""",
        pending_for=5 * MINUTE,
        summary="{{ $labels.batch }} runs without a new result for {{ $value | humanizeDuration }}",
        description=(
            "The batch {{ $labels.batch }} is running, but its newest result is"
            " {{ $value | humanizeDuration }} old, and the API counts no more processed records"
            " than half an hour ago: "
            f"{_FLOW}."
        ),
    )
    yield AlertRule(
        name="RuntypeBatchOverdue",
        severity="warning",
        expr=f"""time() - {across_instances(BATCH_STARTED.name)}
> ignoring (batch) group_left ()
clamp_min(2 * {DURATION_P95}, {_NEVER_OVERDUE:.0f})
and
{unfinished}""",
        pending_for=5 * MINUTE,
        summary="{{ $labels.batch }} takes far longer than its like",
        description=(
            "The batch {{ $labels.batch }} has been at work for {{ $value | humanizeDuration }},"
            " more than twice what 95 % of the successful batches of the past 14 days took: "
            f"{_FLOW}."
        ),
    )
    yield AlertRule(
        name="RuntypeLatencyRegression",
        severity="warning",
        # Compared with the week that ended a day ago. A nightly batch has a fifth of the results of
        # its week, so without the offset it would be compared with itself.
        expr=f"{LATENCY_P90_NOW} > 2 * last_over_time({LATENCY_P90_USUAL}[1d] offset 1d)",
        pending_for=15 * MINUTE,
        summary="Records of {{ $labels.flow }} take more than twice as long as usual",
        description=(
            "90 % of the successes of the past hour took up to {{ $value | humanizeDuration }}; in"
            " the week before it was less than half of that: "
            f"{_FLOW}."
        ),
    )


def _schedules() -> Iterator[AlertRule]:
    starts = f'increase({copy_name(SCHEDULE_STARTS, HOUR)}{{result="missed"}}[1h])'
    yield AlertRule(
        name="RuntypeScheduleMissed",
        severity="warning",
        expr=f"sum without (result) (round({starts})) >= 1",
        summary="{{ $labels.schedule }} did not start when it was due",
        description=(
            f"{{{{ $value | humanize }}}} due starts of the past hour did not happen: {_ONE}."
        ),
    )
    enabled, recurring = (
        across_instances(SCHEDULE_ENABLED.name),
        f'{SCHEDULE_INFO.name}{{cron!=""}}',
    )
    yield AlertRule(
        name="RuntypeSchedulePaused",
        severity="info",
        expr=f"""{enabled} == 0
and
{across_instances(f"max_over_time({SCHEDULE_ENABLED.name}[7d])")} == 0
and
{across_instances(f"last_over_time({SCHEDULE_ENABLED.name}[1h] offset 7d)")} == 0
and
group without (instance, pod, schedule_id, cron, timezone, target) ({recurring})""",
        summary="{{ $labels.schedule }} has been paused for a week",
        description=f"It has not been enabled for seven days: {_ONE}. Was it forgotten?",
    )
    yield AlertRule(
        name="RuntypeScheduleFailing",
        severity="warning",
        expr=f"{_only_failures('6h', HOUR)}\nor\n{_only_failures('4d', DAY)}",
        summary="{{ $labels.schedule }} fails again and again",
        description=(
            "Its last {{ $value | humanize }} runs failed, and none succeeded between them: "
            f"{_ONE}."
        ),
    )


def _only_failures(window: str, length: float) -> str:
    source = copy_name(SCHEDULE_RUNS_FINISHED, length)
    failures = f'sum without (outcome) (round(increase({source}{{outcome="failure"}}[{window}])))'
    successes = f'sum without (outcome) (round(increase({source}{{outcome="success"}}[{window}])))'
    return f"(\n  {failures} >= 3\nunless\n  {successes} >= 1\n)"


def _plan() -> Iterator[AlertRule]:
    cost = copy_name(COST, DAY)
    used, limit = (across_instances(metric.name) for metric in (USAGE_EXECUTIONS, USAGE_LIMIT))
    yield AlertRule(
        name="RuntypeCostSpike",
        severity="warning",
        # The average alone would fire each time that a weekly schedule runs. The most expensive day
        # alone would rarely fire where two runs of a daily schedule fall into 24 hours.
        expr=f"""{COST_OF_A_DAY} > 3 * sum without (flow) (increase({cost}[7d] offset 1d)) / 7
and
{COST_OF_A_DAY} > 1.5 * max_over_time({COST_OF_A_DAY}[8d] offset 1d)
and
{COST_OF_A_DAY} > 1
and
sum without (flow) (last_over_time({cost}[1d] offset 7d)) >= 0""",
        pending_for=10 * MINUTE,
        summary="{{ $labels.schedule }} costs three times its usual",
        description=(
            "Batches that closed within a day cost {{ $value | printf `%.0f` }} dollars, more than"
            " three times an average day of the week before: "
            f"{_ONE}."
        ),
    )
    yield AlertRule(
        name="RuntypeUsageNearLimit",
        severity="warning",
        expr=f"{used} / ({limit} > 0) > 0.9",
        pending_for=5 * MINUTE,
        summary=(
            "{{ $labels.account }} has used {{ $value | humanizePercentage }} of its"
            " {{ $labels.period }} executions"
        ),
        description=(
            "The plan's {{ $labels.period }} executions of {{ $labels.account }} are nearly used"
            " up: {{ $value | humanizePercentage }}. Beyond the limit Runtype charges more, or"
            " slows the account down."
        ),
    )
    yield AlertRule(
        name="RuntypeSlowMode",
        severity="critical",
        expr=f"{across_instances(USAGE_SLOW_MODE.name)} == 1",
        pending_for=5 * MINUTE,
        summary="{{ $labels.account }} is in slow mode",
        description=(
            "The {{ $labels.period }} executions of {{ $labels.account }} are used up, and Runtype"
            " slows every request down. Batches take far longer until the period resets."
        ),
    )
