"""The landing page: the version, links, and the state of the accounts.

It is plain HTML without scripts or further requests. All text from outside is escaped here.
"""

from __future__ import annotations

from html import escape

from runtype_exporter.protocols import AccountStatus, Status

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Runtype exporter</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 48rem; \
margin: 2rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse }}
th, td {{ padding: .25rem 1rem .25rem 0; text-align: left; border-bottom: 1px solid #8885 }}
td.number {{ text-align: right; font-variant-numeric: tabular-nums }}
</style>
</head>
<body>
<h1>Runtype exporter</h1>
<p>Version {version}. {ready}</p>
<ul>
<li><a href="{metrics}">Metrics</a></li>
<li><a href="/-/healthy">Health</a></li>
<li><a href="/-/ready">Readiness</a></li>
</ul>
<table>
<thead><tr>
<th scope="col">Account</th><th scope="col">API</th>\
<th scope="col">Open batches</th><th scope="col">Waiting sweeps</th>
</tr></thead>
<tbody>
{accounts}
</tbody>
</table>
</body>
</html>
"""

_UP = {None: "not polled yet", True: "up", False: "down"}


def landing_page(status: Status, *, version: str, telemetry_path: str) -> str:
    """Return the page as HTML."""
    return _PAGE.format(
        version=escape(version),
        ready="Ready." if status.ready else "Not ready yet.",
        metrics=escape(telemetry_path),
        accounts="\n".join(map(_row, status.accounts)),
    )


def _row(account: AccountStatus) -> str:
    return (
        f'<tr><th scope="row">{escape(account.name)}</th><td>{_UP[account.up]}</td>'
        f'<td class="number">{account.open}</td><td class="number">{account.waiting}</td></tr>'
    )
