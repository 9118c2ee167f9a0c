"""The port, taken before anything is written: a start that cannot serve must leave nothing behind."""

import errno
import os
import socket
from typing import Final

from keystead.settings import SettingsError

_BACKLOG: Final = 2048
_NAMES_A_PORT: Final = (errno.EADDRINUSE, errno.EACCES)


def listen(host: str, port: int, *, named: str = "") -> list[socket.socket]:
    """Return a socket for each address of a host, listening: two servers that start at once cannot both have the port.

    An address that this machine lacks (``::1`` of ``localhost`` without IPv6) is left out as long as there is another.
    ``named`` is the setting that holds both, where that is another one.
    Raises ``SettingsError``.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise SettingsError(f"KEYSTEAD_{named or 'HOST'}: {host!r} is no address of this machine") from None
    sockets, refused = [], 0
    for family, _, _, _, address in dict.fromkeys(found):
        try:
            sockets.append(socket.create_server(address, family=family, backlog=_BACKLOG))
        except OSError as error:
            refused = error.errno or 0
            if refused in _NAMES_A_PORT:
                break
    if not sockets or refused in _NAMES_A_PORT:
        for each in sockets:
            each.close()
        raise SettingsError(_refusal(host, port, refused, named))
    return sockets


def _refusal(host: str, port: int, number: int, named: str) -> str:
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if number == errno.EADDRINUSE:
        return f"KEYSTEAD_{named or 'PORT'}: {place} is in use; choose another{'' if named else ' with --port'}"
    variable = "KEYSTEAD_PORT" if number in _NAMES_A_PORT else "KEYSTEAD_HOST"
    return f"{f'KEYSTEAD_{named}' if named else variable}: cannot listen on {place}: {os.strerror(number)}"
