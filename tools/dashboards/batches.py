"""What the gauges tell of single batches, and their table.

Gauges are taken by `max`: of two exporters' pictures of a batch one counts.
"""

from __future__ import annotations

from .fields import FAILED_WORDS, RED, RUNNING_WORDS, STATES, WAITING_WORDS, YELLOW
from .layout import ITS_ACCOUNT, address, itself
from .panels import Panel
from .queries import ACCOUNT, BATCH, FLOW, KIND, SCHEDULE, ad_hoc, series, share
from .tables import Column, table

SHOWN = (ACCOUNT, SCHEDULE, KIND, FLOW, BATCH)
_ONE = "account, schedule, flow, batch"

_OPEN = 'state=~"queued|running"'
_FAILED = f'status=~"{"|".join(FAILED_WORDS)}"'
_FINAL = f'status!~"{"|".join((*WAITING_WORDS, *RUNNING_WORDS))}"'


def picture(by: str, *matchers: str) -> str:
    """Records of the batches shown by status word, and other labels."""
    return f"max by ({by}) ({series('runtype_batch_records', *SHOWN, *matchers)})"


def total(by: str) -> str:
    """All records of the batches shown."""
    return f"max by ({by}) ({series('runtype_batch_total_records', *SHOWN)})"


def left(by: str) -> str:
    """Records without a final result yet.

    Never below 0: a record that was retried has more than one.
    """
    final = f"sum by ({by}) ({picture(f'status, {by}', _FINAL)})"
    return f"clamp_min({total(by)} - ({final} or {total(by)} * 0), 0)"


def done(by: str) -> str:
    """The share of records with a final result."""
    return f"1 - {share(left(by), total(by))}"


def running_last(by: str) -> str:
    """The batches that are at work at the end of the time range.

    The lines of all that were at work within it would be a thicket.
    """
    return f"max by ({by}) ({series('runtype_batch_state', *SHOWN, _OPEN)} @ end()) == 1"


def failed_now(by: str) -> str:
    """Records whose status is a failure; 0 where there is none."""
    return f"(sum by ({by}) ({picture(f'status, {by}', _FAILED)}) or {total(by)} * 0)"


def stamp(what: str) -> str:
    """One of a batch's times."""
    return f"max by ({_ONE}) ({series(f'runtype_batch_{what}_timestamp_seconds', *SHOWN)})"


def took() -> str:
    """How long each batch was at work: until its end or, while it is open, until now.

    Ad-hoc ones tell no end: the newest result is it.
    """
    running = f"max by ({_ONE}) ({series('runtype_batch_state', *SHOWN, _OPEN)}) == 1"
    started = stamp("started")
    so_far = f"(time() - {started} and {running})"
    return f"({stamp('completed')} - {started} or {so_far} or {stamp('last_result')} - {started})"


def batch_table() -> Panel:
    """The batches shown, those first that started last."""
    kept = (ITS_ACCOUNT, "${kind:queryparam}", "${schedule:queryparam}", "${flow:queryparam}")
    link = address("runtype-batch", *kept, itself("batch"))
    state = f"max by (state, {_ONE}) ({series('runtype_batch_state', *SHOWN)}) == 1"
    cost = f"max by ({_ONE}) ({series('runtype_batch_cost_dollars', *SHOWN)})"
    return table(
        "Batches",
        "Open batches, configured ones, and the newest closed one of each schedule"
        " (metrics.batches_per_schedule). Click one to see it alone. State is Runtype's word while"
        " the exporter follows a batch, then it is closed. Took ends with the newest result where"
        " the API tells no end.",
        [
            Column(title="Batch", label="batch", width=285, link=("This batch alone", link)),
            Column(title="Schedule", label="schedule"),
            Column(title="Flow", label="flow", width=130),
            Column(title="Account", label="account", width=80),
            Column(
                title="State",
                label="state",
                expr=ad_hoc(state),
                empty="closed",
                width=90,
                cell="color-text",
                words={word: (word, colour) for word, colour in STATES.items()},
            ),
            Column(title="Records", expr=ad_hoc(total(_ONE)), unit="locale", decimals=0, width=80),
            Column(
                title="Done",
                expr=ad_hoc(done(_ONE)),
                unit="percentunit",
                decimals=1,
                low=0,
                high=1,
                base="semi-dark-blue",
                cell="gauge",
                width=130,
            ),
            Column(
                title="Failed",
                expr=ad_hoc(share(failed_now(_ONE), total(_ONE))),
                unit="percentunit",
                decimals=1,
                steps=((0.01, YELLOW), (0.05, RED)),
                cell="color-text",
                width=80,
            ),
            Column(
                title="Started",
                expr=f"{ad_hoc(stamp('started'))} * 1000",
                unit="dateTimeAsIso",
                width=165,
            ),
            Column(title="Took", expr=ad_hoc(took()), unit="s", width=90),
            Column(
                title="Newest result",
                expr=f"{ad_hoc(stamp('last_result'))} * 1000",
                unit="dateTimeFromNow",
                width=150,
            ),
            Column(title="Cost", expr=ad_hoc(cost), unit="currencyUSD", decimals=2, width=70),
        ],
        "No batch to show",
        "-Started",
    )
