"""What happens in a simulated account: schedules, runs, batches, records, costs, and the truth.

Everything is drawn from one seed. A read at a moment shows the same, whatever was read before.
Nothing in this package knows HTTP or JSON.
"""

from __future__ import annotations

from runtype_exporter.simulator.account.world import World

__all__ = ["World"]
