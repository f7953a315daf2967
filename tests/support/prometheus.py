"""Run a real Prometheus and a real Alertmanager on free loopback ports, and query them."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.support.process import LOCAL, PATIENCE, wait_for


class Prometheus:
    """A client of the HTTP API of Prometheus."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, **parameters: str) -> Any:
        answer = httpx.get(
            f"{self.url}/api/v1/{path}", params=parameters, timeout=PATIENCE, **LOCAL
        )
        answer.raise_for_status()
        return answer.json()["data"]

    def value(self, query: str) -> float | None:
        result = self.get("query", query=query)["result"]
        return float(result[0]["value"][1]) if result else None

    def has_data(self, query: str, *, since: float) -> bool:
        """Return whether a query had a result within the last `since` seconds."""
        now = time.time()
        series = self.get(
            "query_range", query=query, start=str(now - since), end=str(now), step="5"
        )["result"]
        return any(value != "NaN" for one in series for _, value in one["values"])

    def alerts(self, state: str) -> set[tuple[str, str]]:
        """Return names and severities of the alerts in this state: pending or firing."""
        return {
            (alert["labels"]["alertname"], alert["labels"]["severity"])
            for alert in self.get("alerts")["alerts"]
            if alert["state"] == state
        }

    def failing_rules(self) -> list[str]:
        """Return the errors of rules that Prometheus could not evaluate."""
        rules = [rule for group in self.get("rules")["groups"] for rule in group["rules"]]
        return [f"{rule['name']}: {rule['lastError']}" for rule in rules if rule.get("lastError")]


@contextmanager
def prometheus(
    binary: str, folder: Path, *, target: str, rules: Sequence[Path] = (), alertmanager: str = ""
) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes `target` (host:port) every second."""
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(path) for path in rules],
        "scrape_configs": [{"job_name": "runtype", "static_configs": [{"targets": [target]}]}],
    }
    if alertmanager:
        config["alerting"] = {
            "alertmanagers": [{"static_configs": [{"targets": [_address(alertmanager)]}]}]
        }
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    flags = [
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--enable-feature=exemplar-storage",
        "--log.level=warn",
    ]
    with _running(binary, folder / "prometheus.log", flags) as url:
        yield Prometheus(url)


@contextmanager
def alertmanager(binary: str, folder: Path, config: Mapping[str, Any]) -> Iterator[str]:
    """Run an Alertmanager. Yield its URL."""
    file = folder / "alertmanager.yml"
    file.write_text(yaml.safe_dump(dict(config)))
    flags = [
        f"--config.file={file}",
        f"--storage.path={folder / 'alertmanager'}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]
    with _running(binary, folder / "alertmanager.log", flags) as url:
        yield url


def accelerated(rules: Sequence[Path], folder: Path) -> list[Path]:
    """Write copies of rule files that are fast enough for a test. Return their paths.

    Rules are evaluated every second, and alerts are pending for a sixtieth of the time. Windows do
    not change.
    """
    copies = []
    for path in rules:
        document = yaml.safe_load(path.read_text())
        for group in document["groups"]:
            group["interval"] = "1s"
            for rule in group["rules"]:
                if "for" in rule:
                    rule["for"] = f"{_seconds(rule['for']) // 60}s"
                if "keep_firing_for" in rule:
                    rule["keep_firing_for"] = "2s"
        target = folder / path.name
        target.write_text(yaml.safe_dump(document))
        copies.append(target)
    return copies


def _seconds(duration: str) -> int:
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([dhms])", duration))


def _address(url: str) -> str:
    return url.removeprefix("http://")


@contextmanager
def _running(binary: str, log: Path, flags: Sequence[str]) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with log.open("wb") as file:
        process = subprocess.Popen(
            [binary, *flags, f"--web.listen-address=127.0.0.1:{port}"],
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:

        def ready() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                return httpx.get(f"{url}/-/ready", **LOCAL).status_code == 200
            except httpx.TransportError:
                return False

        wait_for(ready)
        yield url
    finally:
        process.terminate()
        process.wait(10)
