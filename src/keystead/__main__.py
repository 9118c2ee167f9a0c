"""Starts the command line."""

from keystead.cli import app


def main() -> None:
    """Run ``keystead``."""
    app(prog_name="keystead")  # completion goes by it, however the program was started


if __name__ == "__main__":
    main()
