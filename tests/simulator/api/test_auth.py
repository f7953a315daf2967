from email.utils import parsedate_to_datetime

import pytest

from runtype_exporter.simulator.api.auth import (
    Authorizer,
    Key,
    RecordedRequest,
    Refusal,
    RequestRecorder,
)

BEARER = "Bearer good"


def refused(authorizer, authorization, scope="SCHEDULES:READ", now=0.0) -> Refusal:
    with pytest.raises(Refusal) as caught:
        authorizer.authorize(authorization, scope, now)
    return caught.value


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        (("*",), True),
        (("SCHEDULES:*",), True),
        (("SCHEDULES:READ",), True),
        (("FLOWS:READ", "RECORDS:*"), False),
        ((), False),
    ],
)
def test_a_key_may_do_what_its_scopes_or_wildcards_say(scopes, allowed):
    assert Key("k", scopes).allows("SCHEDULES:READ") is allowed


@pytest.mark.parametrize("authorization", ["", "good", "Basic good", "Bearer bad", "Bearer"])
def test_without_a_known_bearer_key_the_answer_is_401_and_says_how(authorization):
    refusal = refused(Authorizer((Key("good"),), "seconds"), authorization)
    assert refusal.status == 401
    assert refusal.headers["WWW-Authenticate"].startswith("Bearer ")


def test_the_scheme_s_case_does_not_matter():
    Authorizer((Key("good"),), "seconds").authorize("bearer good", "SCHEDULES:READ", 0.0)


def test_a_key_without_the_scope_gets_403():
    assert refused(Authorizer((Key("good", ("BATCHES:*",)),), "seconds"), BEARER).status == 403


def test_the_hour_slides_and_refusals_do_not_count():
    authorizer = Authorizer((Key("good", requests_per_hour=2), Key("other")), "seconds")
    authorizer.authorize(BEARER, "A:READ", 0.0)
    authorizer.authorize(BEARER, "A:READ", 600.5)
    assert {refused(authorizer, BEARER, now=now).status for now in (601.0, 3599.0)} == {429}
    authorizer.authorize("Bearer other", "A:READ", 3599.0)
    authorizer.authorize(BEARER, "A:READ", 3600.0)
    refusal = refused(authorizer, BEARER, now=3600.0)
    assert refusal.headers == {"Retry-After": "601"}
    authorizer.authorize(BEARER, "A:READ", 4201.0)


def test_retry_after_may_be_a_date():
    authorizer = Authorizer((Key("good", requests_per_hour=1),), "date")
    authorizer.authorize(BEARER, "A:READ", 1_000_000.0)
    refusal = refused(authorizer, BEARER, now=1_000_010.0)
    assert parsedate_to_datetime(refusal.headers["Retry-After"]).timestamp() == 1_003_600.0


def test_a_key_without_any_request_is_sent_away_for_an_hour():
    assert refused(Authorizer((Key("good", requests_per_hour=0),), "seconds"), BEARER).headers == {
        "Retry-After": "3600"
    }


def test_the_recorder_counts_by_operation_and_knows_the_busiest_hour():
    recorder = RequestRecorder()
    for now in (0.0, 10.0, 3599.0, 3600.0, 3605.0, 9000.0):
        recorder.received("runs", now)
    recorder.received("summary", 20_000.0)
    assert recorder.counts == {"runs": 6, "summary": 1}
    assert (recorder.total, recorder.busiest_hour) == (7, 4)


def test_the_recorder_can_be_cleared():
    recorder = RequestRecorder()
    recorder.received("runs", 0.0)
    recorder.answered(RecordedRequest(0.0, "runs", "/v1/schedules/runs/all", 200))
    recorder.clear()
    assert (recorder.total, recorder.busiest_hour, list(recorder.log)) == (0, 0, [])
