"""The key that each request carries. It is read for each, and no message quotes it."""

from __future__ import annotations

from collections.abc import Callable

from runtype_exporter.runtype.errors import Unauthorised


class ApiKey:
    """A key that may be rotated while requests are sent."""

    def __init__(self, source: Callable[[], str] | str) -> None:
        """Take a key, or a function that returns the present one."""
        self._source = source
        self._used = ""

    def headers(self, operation: str) -> dict[str, str]:
        """Return the headers that carry the key, for a request that is about to be sent.

        Raises:
            Unauthorised: no header can carry it.
            Exception: whatever the source raises.
        """
        self._used = key = self._read()
        # Refused here, because the message of the HTTP library would quote the key.
        if not _can_be_sent(key):
            message = (
                "the API key is empty or has characters that no key has;"
                " check the variable or file that it is read from"
            )
            raise Unauthorised(operation, message, code="key")
        return {"Authorization": f"Bearer {key}"}

    def has_changed(self) -> bool:
        """Return whether the key is another one now than at the last request."""
        try:
            key = self._read()
        # The next request shows the error to its caller.
        except Exception:  # noqa: BLE001
            return False
        return key != self._used and _can_be_sent(key)

    def _read(self) -> str:
        return self._source if isinstance(self._source, str) else self._source()


def _can_be_sent(key: str) -> bool:
    return bool(key) and " " not in key and key.isascii() and key.isprintable()
