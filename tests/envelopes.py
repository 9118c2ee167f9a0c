"""Which of the wire's dialects an answer is in (auth0-behaviour 2.0)."""

import httpx


def dialect_of(answer: httpx.Response) -> str:
    """Return which dialect an error is in, once it is whole."""
    if answer.headers["content-type"].startswith("text/html"):
        assert "<h1>" in answer.text
        return "page"
    found = answer.json()
    if answer.headers["content-type"] == "application/problem+json":
        assert list(found)[:4] == ["type", "status", "title", "detail"]
        assert found["status"] == answer.status_code
        return "my account"
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    if list(found) == ["error", "error_description"]:
        return "oauth"
    if "name" in found:
        assert list(found) == ["name", "code", "description", "statusCode"]
        assert found["statusCode"] == answer.status_code
        return "dbconnections"
    assert list(found)[:3] == ["statusCode", "error", "message"]
    assert found["statusCode"] == answer.status_code
    return "management"
