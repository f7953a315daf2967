import pytest

from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.presets import small_world

RUNS = "/v1/schedules/runs/all"


@pytest.mark.parametrize(
    ("target", "hit"),
    [
        ("/v1/a?limit=51", True),
        ("/v1/a?limit=50", False),
        ("/v1/a?offset=100", False),
        ("/v1/a?limit=many", False),
        ("/v1/a?ids=" + ",".join("x" * 51), True),
        ("/v1/a?ids=" + "%2C".join("x" * 51), True),
        ("/v1/a?ids=" + ",".join("x" * 50), False),
    ],
)
def test_a_fault_hits_requests_above_a_number_of_items(target, hit):
    assert ApiFault(kind="hang", above=50).selects("a", target, 0) is hit


def test_a_fault_hits_long_addresses_and_large_cookies():
    assert ApiFault(kind="hang", longer_than=10).selects("a", "x" * 11, 0)
    assert not ApiFault(kind="hang", longer_than=10).selects("a", "x" * 10, 0)
    assert ApiFault(kind="hang", cookies_above=10).selects("a", "/", 11)
    assert not ApiFault(kind="hang", cookies_above=10).selects("a", "/", 10)


async def test_only_large_pages_are_refused(open_api, clock):
    async with open_api(small_world(clock), ApiFault(kind="status", value=413, above=20)) as api:
        assert (await api.client.get(RUNS, params={"limit": 21})).status_code == 413
        assert (await api.client.get(RUNS, params={"limit": 20})).status_code == 200
