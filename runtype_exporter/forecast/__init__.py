"""Forecast what a configuration will cost: API requests, freshness of sweeps, lines of a scrape.

The forecast is arithmetic over the configuration, the catalogue and the rules of polling. Only
`survey` sends requests to the API, and only a few.
"""

from runtype_exporter.forecast.advice import advice
from runtype_exporter.forecast.inventory import DEFAULT_INVENTORY, AccountInventory
from runtype_exporter.forecast.requests import RequestForecast, forecast_requests
from runtype_exporter.forecast.series import (
    PROCESS_LINES,
    SeriesForecast,
    forecast_series,
    label_sets,
)
from runtype_exporter.forecast.survey import survey
from runtype_exporter.forecast.text import forecast_text

__all__ = [
    "DEFAULT_INVENTORY",
    "PROCESS_LINES",
    "AccountInventory",
    "RequestForecast",
    "SeriesForecast",
    "advice",
    "forecast_requests",
    "forecast_series",
    "forecast_text",
    "label_sets",
    "survey",
]
