"""The numbers that several packages must agree on."""

from runtype_exporter.limits import shortest_cycle_interval


def test_cycles_take_at_most_a_quarter_of_the_budget():
    assert shortest_cycle_interval(2, 1000) == 28.8
    assert shortest_cycle_interval(3, 10) == 4320.0
