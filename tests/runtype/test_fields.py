import msgspec
import pytest

from runtype_exporter.runtype.fields import fault
from runtype_exporter.runtype.responses import ResultRow, RunRow, ScheduleRow


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        (RunRow, "id", "identity"),
        (RunRow, "schedule_id", "identity"),
        (RunRow, "status", "status"),
        (RunRow, "total_records", "count"),
        (RunRow, "created_at", "type"),
        (RunRow, "flow_id", "type"),
        (ResultRow, "record_result_id", "identity"),
        (ScheduleRow, "enabled", "type"),
    ],
)
def test_what_is_wrong_with_a_row_is_told_by_its_field(row, field, reason):
    (found,) = (known for known in msgspec.structs.fields(row) if known.name == field)
    assert fault(found) == reason
