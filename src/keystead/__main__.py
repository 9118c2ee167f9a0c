"""Starts the command line."""

from keystead.cli import app


def main() -> None:
    """Run ``keystead``."""
    app()


if __name__ == "__main__":
    main()
