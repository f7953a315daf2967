"""The *Batch* dashboard's first section with the table of batches, and its section "Progress"."""

from __future__ import annotations

from tools.dashboards.batch.expressions import (
    BATCH_LABELS,
    CHOSEN,
    COST,
    RECORDS,
    SHOWN,
    all_records,
    done_share,
    duration,
    failed_records,
    open_at_end,
    records_by_status,
    timestamp,
    unfinished_records,
)
from tools.dashboards.field_config import (
    BLUE,
    RED,
    STATES,
    STATUSES,
    YELLOW,
    dollars,
    number,
    percent,
    seconds,
)
from tools.dashboards.layout import (
    ROW_ACCOUNT_VAR,
    Section,
    cell_var,
    dashboard_url,
    even_row,
    row,
    section,
)
from tools.dashboards.panels import Panel, areas, lines, plain_stat, stat
from tools.dashboards.queries import (
    increase_in_range,
    instant_query,
    name_ad_hoc,
    or_zero,
    range_query,
    selector,
    share,
)
from tools.dashboards.tables import (
    Column,
    dollars_column,
    gauge_column,
    label_column,
    number_column,
    percent_column,
    seconds_column,
    table,
    time_column,
)

_BY_BATCH = "account, batch"
_FAILED_STEPS = ((0.01, YELLOW), (0.05, RED))


def batches_section() -> Section:
    """Return the first section: eight numbers, and the table of batches."""
    return section(
        "",
        even_row(
            4,
            _batches_shown(),
            _records_done(),
            _still_to_do(),
            _failed_so_far(),
            _oldest_unfinished(),
            _newest_result(),
            _records_counted(),
            _cost_counted(),
        ),
        row(11, (24, _batches())),
    )


def progress_section() -> Section:
    """Return the section "Progress"."""
    return section("Progress", even_row(9, _records_by_status(), _done_by_batch()))


def _batches_shown() -> Panel:
    return plain_stat(
        "Batches shown",
        "Batches with gauges of their own: open ones, configured ones, and the newest closed one"
        " of each schedule. The variable Batch narrows these; what is counted over the time range"
        " it does not touch.",
        instant_query(or_zero(f"count({all_records(_BY_BATCH)})")),
        number("None", decimals=None, base="text"),
    )


def _records_done() -> Panel:
    done = share(f"sum({unfinished_records(_BY_BATCH)})", f"sum({all_records(_BY_BATCH)})")
    return plain_stat(
        "Records done",
        "Records with a final result, by all records of the batches shown.",
        instant_query(f"1 - {done}"),
        percent("No batch", decimals=1, base=BLUE),
    )


def _still_to_do() -> Panel:
    return plain_stat(
        "Still to do",
        "Records of the batches shown that have no final result yet.",
        instant_query(or_zero(f"sum({unfinished_records(_BY_BATCH)})")),
        number("None", base="text"),
    )


def _failed_so_far() -> Panel:
    failed = share(f"sum({failed_records(_BY_BATCH)})", f"sum({all_records(_BY_BATCH)})")
    return stat(
        "Failed so far",
        "Results of the batches shown whose status is a failure, by all their records. A record"
        " that was retried has several.",
        instant_query(failed),
        percent("No batch", decimals=1, steps=_FAILED_STEPS),
    )


def _oldest_unfinished() -> Panel:
    return stat(
        "Oldest unfinished",
        "Time since the oldest unfinished record of the batches shown was created.",
        instant_query(f"time() - min({timestamp('oldest_unfinished')})"),
        seconds("None", decimals=1, steps=((3600, YELLOW), (21600, RED))),
    )


def _newest_result() -> Panel:
    return plain_stat(
        "Newest result",
        "Time since the newest final result of the batches shown. An open batch without a result"
        " for long is stuck.",
        instant_query(f"time() - max({timestamp('last_result')})"),
        seconds("None", decimals=0, base="text"),
    )


def _records_counted() -> Panel:
    counted = increase_in_range(selector(RECORDS, *CHOSEN))
    return plain_stat(
        "Records counted",
        "Record results that became final in the time range, of the schedules and flows chosen.",
        instant_query(or_zero(f"round(sum({counted}))")),
        number("None", decimals=None, base="text"),
    )


def _cost_counted() -> Panel:
    return plain_stat(
        "Cost counted",
        "Cost of the batches that closed in the time range, of the schedules and flows chosen.",
        instant_query(or_zero(f"sum({increase_in_range(COST)})")),
        dollars("None", base="text"),
    )


def _batches() -> Panel:
    kept = ("${kind:queryparam}", "${schedule:queryparam}", "${flow:queryparam}")
    url = dashboard_url("runtype-batch", ROW_ACCOUNT_VAR, *kept, cell_var("batch"))
    state = f"max by (state, {BATCH_LABELS}) ({selector('runtype_batch_state', *SHOWN)}) == 1"
    cost = f"max by ({BATCH_LABELS}) ({selector('runtype_batch_cost_dollars', *SHOWN)})"
    failed = share(failed_records(BATCH_LABELS), all_records(BATCH_LABELS))
    return table(
        "Batches",
        "Open batches, configured ones, and the newest closed one of each schedule"
        " (metrics.batches_per_schedule). Click one to see it alone. State is Runtype's word while"
        " the exporter follows a batch, then it is closed. Took ends with the newest result where"
        " the API tells no end.",
        [
            label_column("Batch", "batch", width=285, link=("This batch alone", url)),
            label_column("Schedule", "schedule"),
            label_column("Flow", "flow", width=130),
            label_column("Account", "account", width=80),
            Column(
                title="State",
                label="state",
                expr=name_ad_hoc(state),
                empty="closed",
                width=90,
                cell="color-text",
                mappings={word: (word, colour) for word, colour in STATES.items()},
            ),
            number_column("Records", name_ad_hoc(all_records(BATCH_LABELS)), width=80),
            gauge_column(
                "Done", name_ad_hoc(done_share(BATCH_LABELS)), decimals=1, base=BLUE, width=130
            ),
            percent_column(
                "Failed",
                name_ad_hoc(failed),
                decimals=1,
                steps=_FAILED_STEPS,
                cell="color-text",
                width=80,
            ),
            time_column("Started", name_ad_hoc(timestamp("started")), "dateTimeAsIso", width=165),
            seconds_column("Took", name_ad_hoc(duration()), width=90),
            time_column("Newest result", name_ad_hoc(timestamp("last_result")), width=150),
            dollars_column("Cost", name_ad_hoc(cost), width=70),
        ],
        empty="No batch to show",
        sort="-Started",
    )


def _records_by_status() -> Panel:
    records = f"sum by (status) ({records_by_status('status, account, batch')})"
    return areas(
        "Records by status",
        "Records of the batches shown by Runtype's own word for their status, after each complete"
        " reading of a batch.",
        [range_query(records, "{{status}}")],
        number("No batch", low=0, colours=STATUSES, palette=True),
        calcs=["lastNotNull"],
    )


def _done_by_batch() -> Panel:
    return lines(
        "Records done by batch",
        "Share of the records that have a final status, of each batch at work at the end of the"
        " time range. A batch whose line stays level below 100 % is stuck.",
        [range_query(f"{done_share('batch')} and {open_at_end('batch')}", "{{batch}}")],
        percent("No batch is at work", decimals=1, low=0, high=1, palette=True),
        calcs=["lastNotNull"],
        table=True,
        custom={"fillOpacity": 0, "lineWidth": 1, "spanNulls": False},
    )
