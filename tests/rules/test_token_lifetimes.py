"""Refresh tokens: when they end (TK-4)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from keystead.rules.clients import RefreshSettings
from keystead.rules.tokens import Authority, CodeRecord, RefreshRecord, refresh_expiry

BEGAN = datetime(2026, 6, 1, tzinfo=UTC)
NOW = BEGAN + timedelta(days=3)


@pytest.mark.parametrize(
    ("settings", "idle", "end"),
    [
        ({}, NOW + timedelta(days=15), BEGAN + timedelta(days=30)),
        ({"idle_token_lifetime": 60, "token_lifetime": 3600}, NOW + timedelta(minutes=1), BEGAN + timedelta(hours=1)),
        ({"infinite_idle_token_lifetime": True}, None, BEGAN + timedelta(days=30)),
        ({"infinite_token_lifetime": True}, NOW + timedelta(days=15), None),
        ({"expiration_type": "non-expiring", "token_lifetime": 60}, None, None),
        ({"rotation_type": "rotating"}, NOW + timedelta(days=15), BEGAN + timedelta(days=30)),
    ],
)
def test_expiry(settings: dict[str, Any], idle: datetime | None, end: datetime | None) -> None:
    """Use moves the idle end; nothing moves the other."""
    assert refresh_expiry(RefreshSettings(**settings), BEGAN, NOW) == (idle, end)


def test_records_survive_their_storage() -> None:
    authority = Authority(
        user_id="auth0|1",
        client_id="c",
        scope=("openid", "offline_access"),
        audience="",
        method="phr",
        authenticated_at=BEGAN,
    )
    code = CodeRecord(authority=authority, redirect_uri="https://app.example/", code_challenge="x")
    refresh = RefreshRecord(id="rt_1", family="f", authority=authority, created_at=BEGAN, rotated_at=NOW)
    assert CodeRecord.model_validate(code.model_dump(mode="json")) == code
    assert RefreshRecord.model_validate(refresh.model_dump(mode="json")) == refresh
