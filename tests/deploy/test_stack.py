"""The stack of deploy/compose.yaml, as far as a machine without containers can check it.

What is mounted exists, what is called listens there, alerts find their receivers, and what silences
what can do so.
"""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from runtype_exporter.cli import main as commands
from runtype_exporter.cli.options import DEFAULT_ADDRESS
from runtype_exporter.config import load
from runtype_exporter.config.durations import parse_duration
from runtype_exporter.simulator.presets import DEMO_TOKEN
from tools.promql import ExpressionCheck
from tools.queries import RULES, check_all

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
PROMETHEUS = ["deploy/prometheus.yml", "prometheus/prometheus.yml"]
NETWORKED = {name for name, service in SERVICES.items() if "network_mode" not in service}


def document(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def mounts(service: str) -> dict[str, Path]:
    """Return the paths in a container of what is mounted from the repository."""
    pairs = [
        entry.split(":") for entry in SERVICES[service].get("volumes", []) if entry.startswith(".")
    ]
    return {pair[1]: (DEPLOY / pair[0]).resolve() for pair in pairs}


def flags(service: str) -> dict[str, str]:
    return dict(
        word.removeprefix("--").partition("=")[::2]
        for word in SERVICES[service]["command"]
        if word.startswith("--")
    )


def listener(host: str) -> str:
    """The service that answers to a name in the stack's network."""
    aliases = {alias: name for name in NETWORKED for alias in _aliases(SERVICES[name])}
    return aliases.get(host, host)


def _aliases(service: Any) -> list[str]:
    networks = service.get("networks", {})
    return [alias for network in networks.values() for alias in network.get("aliases", [])]


# --- the containers ---


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned_or_built_from_this_repository(name: str):
    image = SERVICES[name]["image"]
    built = {service["image"] for service in SERVICES.values() if "build" in service}
    assert image in built or re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", image)
    for service in SERVICES.values():
        if "build" in service:
            context = (DEPLOY / service["build"]["context"]).resolve()
            assert (context / service["build"]["dockerfile"]).is_file()


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_has_no_more_than_it_needs(name: str):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert ["ALL"] == service["cap_drop"]
    assert ["no-new-privileges:true"] == service["security_opt"]
    assert "0" != service["user"].split(":")[0]
    assert not service.get("privileged")


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_exists_and_is_read_only(name: str):
    missing = [path for path in mounts(name).values() if not path.exists()]
    assert [] == missing
    for entry in SERVICES[name].get("volumes", []):
        source, _, mode = entry.split(":") if entry.count(":") == 2 else (*entry.split(":"), "")
        assert mode == "ro" if source.startswith(".") else source in COMPOSE["volumes"]


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_open_on_this_machine_only(name: str):
    for entry in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:(\d+):\1", entry)


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "exporter"])
def test_every_container_says_how_its_health_is_asked(name: str):
    assert "CMD" == SERVICES[name]["healthcheck"]["test"][0]


def test_the_exporter_has_the_health_check_of_its_image():
    assert "healthcheck" not in SERVICES["exporter"]
    assert re.search(
        r"^HEALTHCHECK .*runtype-exporter", (ROOT / "Dockerfile").read_text(), re.MULTILINE
    )


# --- the exporter and its account ---


@pytest.mark.parametrize("name", ["simulator", "exporter"])
def test_the_commands_are_understood(name: str):
    command, *arguments = SERVICES[name]["command"]
    commands.commands[command].make_context(command, list(arguments))


def test_the_exporter_finds_the_simulator_on_loopback(monkeypatch: pytest.MonkeyPatch):
    """In one network namespace: the exporter takes no plain http to another host."""
    environ = SERVICES["exporter"]["environment"]
    (account,) = load(DEPLOY / "exporter.yaml").accounts
    address = SERVICES["simulator"]["command"][1].partition("=")[2]
    assert "service:simulator" == SERVICES["exporter"]["network_mode"]
    assert f"http://{address}" == account.base_url
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert DEMO_TOKEN == account.api_key.read()


def test_the_exporter_reads_its_file_and_keeps_its_ledger_on_a_volume():
    assert DEPLOY / "exporter.yaml" == mounts("exporter")[flags("exporter")["config.file"]]
    state = re.search(r"RUNTYPE_EXPORTER_STATE_PATH=(\S+)", (ROOT / "Dockerfile").read_text())[1]
    assert f"ledger:{Path(state).parent}" in SERVICES["exporter"]["volumes"]


# --- Prometheus ---


def test_every_target_is_a_service_that_listens_there():
    ports = {
        "simulator": int(DEFAULT_ADDRESS.rpartition(":")[2]),
        "prometheus": 9090,
        "alertmanager": 9093,
    }
    config = document("deploy/prometheus.yml")
    entries = [*config["scrape_configs"], *config["alerting"]["alertmanagers"]]
    targets = [
        target
        for entry in entries
        for group in entry["static_configs"]
        for target in group["targets"]
    ]
    assert targets
    for target in targets:
        host, _, port = target.partition(":")
        assert ports[listener(host.replace("localhost", "prometheus"))] == int(port)


@pytest.mark.parametrize("path", PROMETHEUS)
def test_the_exporter_is_scraped_under_the_name_that_the_rules_are_made_for(path: str):
    jobs = {entry["job_name"]: entry for entry in document(path)["scrape_configs"]}
    exporter = jobs["runtype-exporter"]
    (target,) = exporter["static_configs"][0]["targets"]
    assert target.endswith(DEFAULT_ADDRESS)
    # The default is the exporter's own path.
    assert "metrics_path" not in exporter
    telemetry = next(
        option
        for option in commands.commands["serve"].params
        if option.name == "web_telemetry_path"
    )
    assert "/metrics" == telemetry.default


@pytest.mark.parametrize("path", ["deploy/compose.yaml", "prometheus/prometheus.yml"])
def test_prometheus_keeps_what_an_objective_looks_back_to(path: str):
    retention = re.search(r"storage\.tsdb\.retention\.time=(\w+)", (ROOT / path).read_text())[1]
    assert parse_duration(retention) > max(
        slo.window for slo in load(DEPLOY / "exporter.yaml").slos
    )


def test_exemplars_are_kept():
    assert "exemplar-storage" == flags("prometheus")["enable-feature"]
    for path in PROMETHEUS:
        assert document(path)["storage"]["exemplars"]["max_exemplars"] > 0


def test_promtool_takes_the_configuration_of_the_stack_as_it_is_mounted(
    tmp_path: Path, promtool: str
):
    for target, source in mounts("prometheus").items():
        link = tmp_path / target.lstrip("/")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(source)
    config = tmp_path / flags("prometheus")["config.file"].lstrip("/")
    done = subprocess.run(
        [promtool, "check", "config", config], capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    assert len(list(ROOT.glob(RULES))) == done.stdout.count("rules found")


def test_promtool_takes_the_example(promtool: str):
    done = subprocess.run(
        [promtool, "check", "config", ROOT / "prometheus/prometheus.yml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    assert len(list(ROOT.glob(RULES))) == done.stdout.count("rules found")


# --- Alertmanager ---


@cache
def alerts() -> list[tuple[str, str, frozenset[str]]]:
    """Each alert with its severity and the labels that it may have."""
    known = check_all(ROOT)["rules"].known
    found = []
    for path in ROOT.glob(RULES):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    own = ExpressionCheck(rule["expr"], known).labels.names()
                    found.append(
                        (rule["alert"], rule["labels"]["severity"], own | rule["labels"].keys())
                    )
    return found


def chosen(matchers: list[str]) -> list[tuple[str, str, frozenset[str]]]:
    """The alerts that matchers may choose.

    By name and severity, for the rest is not known before they fire.
    """

    def fits(value: str, comparison: str, pattern: str) -> bool:
        return bool(
            re.fullmatch(pattern if "~" in comparison else re.escape(pattern), value)
        ) is not comparison.startswith("!")

    parsed = [re.fullmatch(r'(\w+)(=~|!~|!=|=)"(.*)"', matcher).groups() for matcher in matchers]
    return [
        alert
        for alert in alerts()
        if all(
            fits(alert[0] if label == "alertname" else alert[1], comparison, pattern)
            for label, comparison, pattern in parsed
        )
    ]


def test_amtool_takes_the_configuration(amtool: str):
    path = mounts("alertmanager")[flags("alertmanager")["config.file"]]
    done = subprocess.run(
        [amtool, "check-config", path], capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("severity", "receiver"),
    [("critical", "page"), ("warning", "ticket"), ("info", "chat"), ("", "chat")],
)
def test_a_severity_leads_to_its_receiver(amtool: str, severity: str, receiver: str):
    config = f"--config.file={DEPLOY / 'alertmanager.yml'}"
    labels = ["alertname=RuntypeAnything", *([f"severity={severity}"] if severity else [])]
    done = subprocess.run(
        [amtool, "config", "routes", "test", config, *labels],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, receiver) == (done.returncode, done.stdout.strip())


def test_every_severity_of_the_rules_has_a_route():
    routes = document("deploy/alertmanager.yml")["route"]["routes"]
    matchers = {matcher for route in routes for matcher in route["matchers"]}
    assert {severity for _, severity, _ in alerts()} == {
        matcher.split('"')[1] for matcher in matchers
    }


@pytest.mark.parametrize("number", range(len(document("deploy/alertmanager.yml")["inhibit_rules"])))
def test_an_inhibition_names_alerts_that_share_the_labels_that_must_be_equal(number: int):
    """Labels that both sides lack are equal, too.

    An alert of a whole job would silence those of every account, or none.
    """
    rule = document("deploy/alertmanager.yml")["inhibit_rules"][number]
    sources, targets = chosen(rule["source_matchers"]), chosen(rule["target_matchers"])
    assert sources
    assert targets
    lacking = {
        (name, label)
        for name, _, labels in [*sources, *targets]
        for label in {*rule["equal"]} - labels
    }
    assert set() == lacking


@pytest.mark.parametrize("number", range(len(document("deploy/alertmanager.yml")["inhibit_rules"])))
def test_each_name_in_an_inhibition_stands_for_an_alert(number: int):
    rule = document("deploy/alertmanager.yml")["inhibit_rules"][number]
    names = {name for name, _, _ in alerts()}
    for matcher in [*rule["source_matchers"], *rule["target_matchers"]]:
        for word in re.findall(r"Runtype\w+", matcher) + re.findall(r"(?<=[(|])[A-Z]\w+", matcher):
            assert any(word in name for name in names), word


# --- Grafana ---


def test_grafana_finds_its_data_source_and_its_home():
    (source,) = [
        source
        for path in (ROOT / "grafana/provisioning/datasources").glob("*.yaml")
        for source in yaml.safe_load(path.read_text())["datasources"]
    ]
    url = urlsplit(source["url"])
    assert ("prometheus", 9090) == (listener(url.hostname), url.port)
    folder = mounts("grafana")["/var/lib/grafana/dashboards"]
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (folder / home.name).is_file()
    assert "/var/lib/grafana/dashboards" == str(home.parent)


def test_grafana_looks_for_dashboards_where_they_are_mounted():
    providers = [
        provider
        for path in (ROOT / "grafana/provisioning/dashboards").glob("*.yaml")
        for provider in yaml.safe_load(path.read_text())["providers"]
    ]
    assert providers
    assert {"/var/lib/grafana/dashboards"} == {
        provider["options"]["path"] for provider in providers
    }
