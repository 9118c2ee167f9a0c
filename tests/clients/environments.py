"""What the clients run in."""

from pathlib import Path

from environments import ROOT, Environment, Missing

__all__ = ["LOCK", "PACKAGES", "ROOT", "Missing", "node_modules", "python_environment"]

CLIENTS = Environment("clients", Path(__file__).parent)
LOCK = CLIENTS.lock
PACKAGES = CLIENTS.packages


def python_environment() -> Path:
    """Return the interpreter that has the Python clients, and nothing of ours."""
    return CLIENTS.python()


def node_modules() -> Path:
    """Return the directory of the clients from npm."""
    return CLIENTS.node_modules()
