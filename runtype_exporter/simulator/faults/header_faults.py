"""Faults of the headers of an answer: the Date, cookies, and any header that a fault adds."""

from __future__ import annotations

from email.utils import formatdate

from starlette.datastructures import MutableHeaders

from runtype_exporter.simulator.faults.faults import ApiFault


def change_headers(headers: MutableHeaders, fault: ApiFault, now: float, number: int) -> None:
    """Change the headers of an answer, in place.

    `now` is what the API's clock shows; `number` tells the cookies of one API apart.
    """
    headers.update(fault.headers)
    if fault.kind == "cookie":
        value = "x" * int(fault.value or 16)
        headers.append("Set-Cookie", f"session_{number}={value}; Path=/")
    if fault.kind != "date":
        return
    if fault.value is None:
        del headers["Date"]
    elif isinstance(fault.value, str):
        headers["Date"] = fault.value
    else:
        headers["Date"] = formatdate(now + fault.value, usegmt=True)
