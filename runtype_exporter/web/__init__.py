"""What the exporter answers over HTTP: the published bytes, health, reload and a landing page.

It must not know the API, polling or the ledger: it is handed a publisher, a status and a way to
reload, and nothing that it serves waits for them.
"""

from runtype_exporter.web.routes import Reload, create_app
from runtype_exporter.web.server import Server, listen

__all__ = ["Reload", "Server", "create_app", "listen"]
