"""What can go wrong with an answer, switched on by a test.

Which requests it hits, and what it does to the answer's JSON.

What it does to the bytes and the connection is `transport`'s. It knows no world: the wrong answer
is made from the right one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from random import Random
from typing import Any, Literal, get_args

from . import spoil

Kind = Literal[
    # of the connection and the bytes
    "status",
    "hang",
    "slow",
    "reset",
    "truncate",
    "html",
    "oversize",
    "redirect",
    # of the walk over pages
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
class Fault:
    """One thing that goes wrong.

    It hits the requests of an operation ("*": all) whose path and query contain `match`: of those
    the `nth` ones (counted from 1, empty: all), at most `times` times, each with a probability.
    `value` and `path` belong to the kind:

    status: the code, with `headers` (Retry-After); slow: seconds between chunks; oversize: bytes of
    padding; redirect: the address; shift: by how many rows every page but the first begins too
    early (below 0: too late); stuck: every page is the first one; repeat_cursor: the cursor that
    each page names as the next; duplicate: the page's first row comes again at its end; short: how
    many rows its end lacks; set and drop: the field at `path` ("data.*.status") gets the value, or
    goes; nulls: the field names that become null (default: all that may); words: the status word in
    every object.
    """

    kind: Kind
    operation: str = "*"
    match: str = ""
    nth: tuple[int, ...] = ()
    times: int | None = None
    probability: float = 1.0
    path: str = ""
    value: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, spec: Mapping[str, Any]) -> Fault:
        """A fault as the control door receives it.

        Raises:
            ValueError: an unknown key or kind.
        """
        unknown = set(spec) - {known.name for known in fields(cls)}
        if unknown or spec.get("kind") not in get_args(Kind):
            raise ValueError(
                f"no such fault: {', '.join(sorted(unknown)) or spec.get('kind')}; kinds:"
                f" {', '.join(get_args(Kind))}"
            )
        return cls(**{**spec, "nth": tuple(spec.get("nth", ()))})


class _Armed:
    def __init__(self, fault: Fault) -> None:
        self.fault, self.seen, self.fired = fault, 0, 0


class Faults:
    """The faults that are on. `seed` decides where a probability strikes."""

    def __init__(self, *faults: Fault, seed: int = 0) -> None:
        self._random = Random(seed)  # noqa: S311  # a test must be able to repeat it
        self._armed = [_Armed(fault) for fault in faults]

    def add(self, *faults: Fault) -> None:
        """Switch faults on; their counts begin now."""
        self._armed += [_Armed(fault) for fault in faults]

    def clear(self) -> None:
        """Switch everything off."""
        self._armed.clear()

    def fired(self) -> int:
        """How often the faults that are on have struck."""
        return sum(armed.fired for armed in self._armed)

    def strike(self, operation: str, target: str) -> list[Fault]:
        """The faults that hit this request, in the order in which they were added."""
        struck = []
        for armed in self._armed:
            fault = armed.fault
            if fault.operation not in {"*", operation} or fault.match not in target:
                continue
            armed.seen += 1
            spent = fault.times is not None and armed.fired >= fault.times
            missed = fault.nth and armed.seen not in fault.nth
            if not spent and not missed and self._random.random() < fault.probability:
                armed.fired += 1
                struck.append(fault)
        return struck

    def spoil(self, payload: dict[str, Any], fault: Fault) -> None:
        """Make the right payload wrong, in place.

        Kinds that are not of the payload leave it as it is.
        """
        if fault.kind in {"duplicate", "short", "repeat_cursor"}:
            spoil.walk(payload, fault.kind, fault.value)
        elif fault.kind in {"set", "drop"}:
            spoil.edit(payload, fault.path.split("."), fault.value, drop=fault.kind == "drop")
        else:
            spoil.fields(payload, fault.kind, fault.value, self._random)


def start(faults: list[Fault], asked: int) -> int:
    """Where a page really begins when a client asks for this place."""
    for fault in faults:
        if fault.kind == "stuck":
            return 0
        if fault.kind == "shift" and asked:
            asked = max(asked - int(fault.value or 1), 0)
    return asked
