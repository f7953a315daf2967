"""When schedules are due, whether they start on time, and the gauges of schedules."""
