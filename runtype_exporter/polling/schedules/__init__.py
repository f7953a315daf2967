"""When schedules are due, and whether they start on time."""
