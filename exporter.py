"""The front door: `python exporter.py` from a checkout does what the installed `runtype-exporter` does."""

from runtype_exporter.cli import main

if __name__ == "__main__":
    main()
