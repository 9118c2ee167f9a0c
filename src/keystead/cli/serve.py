"""``keystead serve``."""

import asyncio
import logging
import sys
from contextlib import suppress
from pathlib import Path
from socket import socket
from tempfile import TemporaryDirectory
from typing import Annotated, Final

import structlog
import typer
import uvicorn

from keystead import settings as process
from keystead.app import create_app
from keystead.cli.first_run import report
from keystead.cli.listener import listen
from keystead.cli.options import DataDir, Port, told_plainly
from keystead.cli.terminal import escaped, say, tell
from keystead.cli.workers import Workers
from keystead.settings import Settings
from keystead.start import doubts, doubts_about_data, first_run_file, follow_public_url, prepare

_WORKER_SECONDS: Final = 60
"""How long a worker may be silent before it is replaced: on a loaded machine the imports alone take a while."""


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.", show_default="127.0.0.1")] = None,
    port: Port = None,
    data_dir: DataDir = None,
    workers: Annotated[int | None, typer.Option(help="How many processes.", show_default="1")] = None,
    migrate: Annotated[bool, typer.Option("--migrate", help="Bring an older database up to date first.")] = False,
) -> None:
    """Serve. The first start makes a connection, clients and keys, and prints them.

    Examples:

      keystead serve --port 8123 --data-dir ./data

      KEYSTEAD_PUBLIC_URL=https://login.example.com keystead serve --workers 2
    """
    with told_plainly():
        given = process.load(host=host, port=port, data_dir=data_dir, workers=workers)
        for doubt in doubts(given):
            tell(doubt)
        sockets = listen(given.host, given.port)
        if given.metrics_address:
            sockets += listen(*given.metrics_address, named="METRICS_LISTEN")
        settings, made = prepare(given, migrate=migrate, tell=tell)
    if made is None:
        follow_public_url(settings, tell)
        for doubt in asyncio.run(doubts_about_data(settings)):
            tell(doubt)
    else:
        say(*report(made, first_run_file(settings)), "")
    say(f"Keystead is at {settings.public_url}")
    sys.stdout.flush()
    run(settings, sockets)


def run(settings: Settings, sockets: list[socket]) -> None:
    """Run the server on sockets that listen until it is told to stop."""
    configure_log(settings)
    options = {
        "access_log": False,  # the gate writes one line of its own
        "proxy_headers": False,  # uvicorn believes whoever calls from loopback; we walk the hops ourselves
        "server_header": False,
        "log_level": "warning",
        "timeout_graceful_shutdown": 10,
        "limit_concurrency": 2000,
        "workers": settings.workers,
        "timeout_worker_healthcheck": _WORKER_SECONDS,
    }
    if settings.workers == 1:
        with suppress(KeyboardInterrupt):  # uvicorn raises it again when all is closed; it is how people stop a server
            uvicorn.Server(uvicorn.Config(create_app(settings), **options)).run(sockets)  # type: ignore[arg-type]
        return
    with TemporaryDirectory(prefix="keystead-metrics-") as together:
        process.publish(settings, Path(together) if settings.has_metrics else None)
        config = uvicorn.Config("keystead.cli.serve:worker_app", factory=True, **options)  # type: ignore[arg-type]
        Workers(config, sockets).run()


def worker_app() -> object:
    """Build the application of a worker process, whose parent published its settings."""
    settings = process.load()
    configure_log(settings)
    return create_app(settings)


def configure_log(settings: Settings) -> None:
    """Write the log to standard error: one line a request, for people or as JSON."""
    level = getattr(logging, settings.log_level.upper())
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            escaped,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
