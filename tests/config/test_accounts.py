"""An account made in Python."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from runtype_exporter.config import Account, ConfiguredBatch, Secret

ACCOUNT = Account(name="a", api_key=Secret(env="A"))


def test_an_account_needs_a_name_and_a_key_only():
    assert ("https://api.runtype.com", 30.0, 100, 1000) == (
        ACCOUNT.base_url,
        ACCOUNT.timeout,
        ACCOUNT.page_size,
        ACCOUNT.requests_per_hour,
    )


def test_an_error_of_a_value_made_in_python_shows_no_input():
    with pytest.raises(ValidationError) as caught:
        Account(name="a", api_key="rt_live_marker")  # type: ignore[arg-type]
    assert "marker" not in str(caught.value)


def test_a_mapping_for_a_key_is_the_files_alone_since_its_folder_is_needed():
    with pytest.raises(ValidationError, match="must be"):
        Account(name="a", api_key={"env": "A"})  # type: ignore[arg-type]


def test_a_configured_batch_needs_its_id_only():
    batch = ConfiguredBatch(id="batch_1")
    assert (None, None) == (batch.name, batch.status)
