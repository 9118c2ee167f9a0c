"""Why a call came to nothing."""

from typing import Literal

Reason = Literal[
    "answer", "busy", "closed", "ended", "memory", "nonsense", "open", "output", "program", "silent", "start", "timeout"
]
"""In one word, for metrics."""


class Failure(Exception):
    """A call has no answer. The text says why, to administrators: nothing of what a script printed is in it."""

    def __init__(self, reason: Reason, text: str) -> None:
        self.reason: Reason = reason
        super().__init__(text)

    @property
    def breaks(self) -> bool:
        """Whether the script is to blame: what counts towards stopping it for a while.

        Not where its answer is to blame: it is made of what one person has in their profile, who could otherwise stop
        everybody's logins by it. Nor where it never called back, which takes no time: scripts that do so for people
        they do not know are usual, and anybody can ask for such people. Where such a script has something open, its
        time passes, and that looks like a database that hangs: ``circuits`` tells them apart by who is answered.
        """
        return self.reason not in ("answer", "busy", "closed", "open", "output", "silent")
