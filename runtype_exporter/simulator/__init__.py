"""A Runtype account in a box: the API's reads over a seeded world whose truth can be asked.

It is the oracle of the tests and the other side of the demo. It must not know the exporter: an
error made twice would not show.
"""

from __future__ import annotations
