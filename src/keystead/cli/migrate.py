"""``keystead migrate``."""

from keystead import settings as process
from keystead.cli.options import DataDir, told_plainly
from keystead.cli.terminal import say, tell
from keystead.start import prepare


def migrate(data_dir: DataDir = None) -> None:
    """Bring the database up to date. Take a backup first; 'serve' refuses to start on an older schema."""
    with told_plainly():
        prepare(process.load(data_dir=data_dir), migrate=True, tell=tell)
    say("The database is up to date.")
