"""Wrong answers on purpose: which requests a fault hits, and what it does to the answer.

A wrong answer is made from the right one, so this package does not know the account.
"""

from __future__ import annotations

from runtype_exporter.simulator.faults.faults import ApiFault, Faults

__all__ = ["ApiFault", "Faults"]
