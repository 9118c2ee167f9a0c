"""A stored mail provider, as a server to deliver to."""

import pytest

from keystead.rules.mail_servers import Tls, read_provider, server_of


@pytest.mark.parametrize(
    ("host", "port", "user", "tls"),
    [
        ("mail.example.com", 465, "ann", "at once"),
        ("mail.example.com", 465, None, "at once"),
        ("mail.example.com", 587, "ann", "required"),
        ("mail.example.com", 25, "ann", "required"),
        ("mail.example.com", 25, None, "offered"),
        ("10.0.0.1", 25, "ann", "required"),
        ("127.0.0.1", 25, "ann", "offered"),
        ("localhost", 25, "ann", "offered"),
        ("[::1]", 25, "ann", "offered"),
    ],
)
def test_a_password_crosses_no_network_in_clear(host: str, port: int, user: str | None, tls: Tls) -> None:
    login = {"smtp_user": user, "smtp_pass": "secret"} if user else {}
    provider = read_provider({"name": "smtp", "credentials": {"smtp_host": host, "smtp_port": port} | login})
    server = server_of(provider)
    assert (server.host, server.port, server.tls) == (host.strip("[]"), port, tls)
    assert server.password.reveal() == ("secret" if user else "")
    assert "secret" not in repr(provider) + repr(server)
