"""Which requests a fault hits, and what it does to the JSON of the answer.

`transport` has the faults of the bytes and of the connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from random import Random
from typing import Any, Literal, get_args

from runtype_exporter.simulator.faults import payload_faults
from runtype_exporter.simulator.faults.selection import asked_items

FaultKind = Literal[
    # of the connection and the bytes
    "status",
    "hang",
    "slow",
    "reset",
    "truncate",
    "html",
    "oversize",
    "redirect",
    "slow_rows",
    "surrogates",
    # of the headers
    "headers",
    "date",
    "cookie",
    # of the paging
    "shift",
    "stuck",
    "repeat_cursor",
    "duplicate",
    "short",
    # of the fields
    "set",
    "drop",
    "nulls",
    "times",
    "words",
    "hostile",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiFault:
    """One way in which answers are wrong, and the requests that it hits.

    It hits requests of `operation` ("*": all) whose path and query contain `match`, which ask for
    more than `above` items (`limit`, or the number of `ids`), whose path and query have more than
    `longer_than` characters, and which send more than `cookies_above` bytes of cookies. Of these it
    hits the `nth` ones (counted from 1; empty: all), at most `times` times, each with
    `probability`.

    `headers` are added to the answer (Retry-After, Age). `value` and `path` depend on the kind:

    - status: the status code.
    - slow: seconds between chunks.
    - oversize: bytes of padding.
    - redirect: the address.
    - slow_rows: seconds for each row; the answer waits so long.
    - surrogates: how many surrogates without a partner an added text has.
    - headers: only the headers are added.
    - date: the Date header is this text, is moved by so many seconds, or is absent (None).
    - cookie: the answer sets one more cookie, of so many bytes.
    - shift: every page but the first begins this many rows too early (below 0: too late).
    - stuck: every page is the first one.
    - repeat_cursor: the cursor that each page names as the next one.
    - duplicate: the page's first row appears again at its end.
    - short: how many rows are missing at the page's end.
    - set, drop: the field at `path` gets `value`, or is removed. In a path `*` is every item of a
      list, a number one of them, and `@ID` each item that has a field with this value
      ("data.@run_1.status").
    - nulls: the names of the fields that become null (default: all that may be null).
    - words: the status word in every object.
    """

    kind: FaultKind
    operation: str = "*"
    match: str = ""
    above: int | None = None
    longer_than: int | None = None
    cookies_above: int | None = None
    nth: tuple[int, ...] = ()
    times: int | None = None
    probability: float = 1.0
    path: str = ""
    value: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, spec: Mapping[str, Any]) -> ApiFault:
        """Return the fault that a JSON object describes.

        Raises:
            ValueError: an unknown key or kind.
        """
        unknown = set(spec) - {known.name for known in fields(cls)}
        if unknown or spec.get("kind") not in get_args(FaultKind):
            raise ValueError(
                f"no such fault: {', '.join(sorted(unknown)) or spec.get('kind')}; kinds:"
                f" {', '.join(get_args(FaultKind))}"
            )
        return cls(**{**spec, "nth": tuple(spec.get("nth", ()))})

    def selects(self, operation: str, target: str, cookies: int) -> bool:
        """Return True if a request is of those that the fault may hit."""
        return (
            self.operation in {"*", operation}
            and self.match in target
            and (self.above is None or asked_items(target) > self.above)
            and (self.longer_than is None or len(target) > self.longer_than)
            and (self.cookies_above is None or cookies > self.cookies_above)
        )


class _ArmedFault:
    def __init__(self, fault: ApiFault) -> None:
        self.fault, self.matched, self.fired = fault, 0, 0


class Faults:
    """The faults that are switched on. `seed` decides which requests a probability hits."""

    def __init__(self, *faults: ApiFault, seed: int = 0) -> None:
        # Not for secrets: a test must be able to repeat it.
        self._random = Random(seed)  # noqa: S311
        self._armed = [_ArmedFault(fault) for fault in faults]

    def add(self, *faults: ApiFault) -> None:
        """Switch faults on. Their counts begin at 0."""
        self._armed += [_ArmedFault(fault) for fault in faults]

    def clear(self) -> None:
        """Switch all faults off."""
        self._armed.clear()

    def fired(self) -> int:
        """Return how many requests the faults that are on have hit."""
        return sum(armed.fired for armed in self._armed)

    def strike(self, operation: str, target: str, cookies: int = 0) -> list[ApiFault]:
        """Return the faults that hit this request, in the order in which they were added.

        `target` is its path and query, `cookies` the bytes of its cookies.
        """
        struck = []
        for armed in self._armed:
            fault = armed.fault
            if not fault.selects(operation, target, cookies):
                continue
            armed.matched += 1
            spent = fault.times is not None and armed.fired >= fault.times
            missed = fault.nth and armed.matched not in fault.nth
            if not spent and not missed and self._random.random() < fault.probability:
                armed.fired += 1
                struck.append(fault)
        return struck

    def change_payload(self, payload: dict[str, Any], fault: ApiFault) -> None:
        """Make a right payload wrong, in place.

        Kinds of faults that do not concern the payload change nothing.
        """
        if fault.kind in {"duplicate", "short", "repeat_cursor"}:
            payload_faults.change_page(payload, fault.kind, fault.value)
        elif fault.kind in {"set", "drop"}:
            payload_faults.change_path(
                payload, fault.path.split("."), fault.value, drop=fault.kind == "drop"
            )
        else:
            payload_faults.change_fields(payload, fault.kind, fault.value, self._random)


def page_start(faults: list[ApiFault], asked: int) -> int:
    """Return where a page really begins when a client asks for the position `asked`."""
    for fault in faults:
        if fault.kind == "stuck":
            return 0
        if fault.kind == "shift" and asked:
            asked = max(asked - int(fault.value or 1), 0)
    return asked
