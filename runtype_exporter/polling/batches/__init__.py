"""The life of one batch record: its rules, its labels, its gauges, its cost and its end."""
