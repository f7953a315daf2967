"""The HTTP side: the published metrics, health, reload and a landing page.

Nothing that it serves waits for the API, polling or the ledger.
"""

from runtype_exporter.web.routes import Reload, create_app
from runtype_exporter.web.server import Server, listen

__all__ = ["Reload", "Server", "create_app", "listen"]
