"""The life of one batch record, from first sight to close."""
