"""Run the exporter from a checkout: `python exporter.py` is the same as `runtype-exporter`."""

import sys

# Users of an older Python must see this message, not a syntax error.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(f"runtype-exporter needs Python 3.11 or newer; this is {sys.version.split()[0]}")

try:
    from runtype_exporter.cli import main
except ModuleNotFoundError as error:
    if str(error.name).startswith("runtype_exporter"):
        raise
    sys.exit(
        f"{error.name} is not installed for {sys.executable}.\n"
        "Run `make install` and then `.venv/bin/python exporter.py`, "
        "or `pip install --require-hashes -r requirements.txt`."
    )

if __name__ == "__main__":
    main()
