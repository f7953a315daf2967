"""What a configuration will cost before it runs.

Requests an hour, how fresh sweeps can be, and how many lines a scrape will have.

Pure arithmetic over the configuration, the catalogue and the rules of polling; only `survey` asks
the API, a few times. It must not know the ledger or anything that runs.
"""

from runtype_exporter.forecast.advice import advice
from runtype_exporter.forecast.holding import ASSUMED, Holding
from runtype_exporter.forecast.requests import Requests, requests
from runtype_exporter.forecast.series import PROCESS_LINES, Row, label_sets, series
from runtype_exporter.forecast.survey import survey
from runtype_exporter.forecast.text import forecast_text

__all__ = [
    "ASSUMED",
    "PROCESS_LINES",
    "Holding",
    "Requests",
    "Row",
    "advice",
    "forecast_text",
    "label_sets",
    "requests",
    "series",
    "survey",
]
