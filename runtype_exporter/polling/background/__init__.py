"""Reads that no cycle and no sweep waits for: usage, sparklines and costs."""
