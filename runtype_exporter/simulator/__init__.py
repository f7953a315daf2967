"""A simulated Runtype account: the API's reads over a seeded world that knows its own truth.

`settings` says what an account is made of, `presets` holds ready-made accounts, `account` computes
what happens in one, `api` serves it over HTTP, and `faults` makes answers wrong on purpose. Imports
go one way: `api` uses `account` and `faults`, both use only `settings`.

The tests use it as the oracle, the demo as the other side. It shares no code with the exporter
except `clock`, because an error in shared code would stay invisible.
"""

from __future__ import annotations
