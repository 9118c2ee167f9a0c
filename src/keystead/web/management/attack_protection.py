"""``/api/v2/attack-protection``, and our own ``/keystead/attack-protection``: settings (auth0-behaviour 2.8)."""

from typing import Any, Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from keystead.rules.attack_protection import BruteForce, LockSettings, SuspiciousIp, on_wire
from keystead.rules.bot_detection import BotDetection, Captcha
from keystead.rules.breaches import BreachSettings
from keystead.web.answers import Json
from keystead.web.endpoints import Body, Described, Scoped
from keystead.web.flows import management_of
from keystead.web.management.operations import operation_of


class Subject(NamedTuple):
    """What settings are about, as a model and in words."""

    kind: type[Any]
    words: str


BRUTE_FORCE: Final = Subject(BruteForce, "what stops guessing at one identifier")
SUSPICIOUS_IP: Final = Subject(SuspiciousIp, "what stops guessing from one address")
BREACHES: Final = Subject(BreachSettings, "what is done about breached passwords")
BOT_DETECTION: Final = Subject(BotDetection, "what is kept about bot detection")
CAPTCHA: Final = Subject(Captcha, "what is kept about captchas")
LOCK: Final = Subject(LockSettings, "whom locks lock out")


def settings(path: str, about: Subject) -> tuple[Described, Described]:
    """Return a route that shows settings, and one that changes them: what a body does not name stays as it is."""
    shows = Scoped(f"Show {about.words}", scopes=("read:attack_protection",), answers={200: about.kind})
    changes = Scoped(
        f"Change {about.words}",
        scopes=("update:attack_protection",),
        body=Body(about.kind, needs=()),
        answers={200: about.kind},
    )

    async def show(request: Request) -> Response:
        await shows.read(request)
        return Json(on_wire(await management_of(request).attack_protection.show(about.kind)))

    async def update(request: Request) -> Response:
        asked = await changes.read(request)
        operation = operation_of(request, asked.bearer)
        return Json(on_wire(await management_of(request).attack_protection.update(about.kind, asked.body, operation)))

    return Described(path, show, GET=shows), Described(path, update, PATCH=changes)
