"""``/api/v2/stats``: how much happened, and how many people are active."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.rules.claims import iso
from keystead.rules.stats import Counts, start_of
from keystead.web.answers import Json
from keystead.web.endpoints import Scoped
from keystead.web.flows import management_of
from keystead.web.parameters import Text
from keystead.web.shapes import MOMENT, WHOLE, Shape, each

_FROM: Final = Text("from")
_TO: Final = Text("to")

DAY: Final = Shape(
    "DailyStats",
    {"date": MOMENT, "logins": WHOLE, "signups": WHOLE, "leaked_passwords": WHOLE},
    {"created_at": MOMENT, "updated_at": MOMENT},
)

DAILY: Final = Scoped(
    "Show what happened day by day", scopes=("read:stats",), query=(_FROM, _TO), answers={200: each(DAY)}
)


async def daily(request: Request) -> Response:
    """``GET /stats/daily``: from one day to another in UTC, both included; the last 31 where nothing is said."""
    asked = await DAILY.read(request)
    found = await management_of(request).stats.daily(asked[_FROM], asked[_TO])
    return Json([_shown(counts) for counts in found])


ACTIVE_USERS: Final = Scoped("Count the active users", scopes=("read:stats",), answers={200: WHOLE})


async def active_users(request: Request) -> Response:
    """``GET /stats/active-users``: a number alone."""
    await ACTIVE_USERS.read(request)
    return Json(await management_of(request).stats.active_users())


def _shown(counts: Counts) -> dict[str, Any]:
    """Return a day; when it was summed up, where it was."""
    summed = {name: iso(counts.summed_at) for name in ("created_at", "updated_at") if counts.summed_at}
    numbers = {"logins": counts.logins, "signups": counts.signups, "leaked_passwords": counts.leaked_passwords}
    return {"date": iso(start_of(counts.day)), **numbers, **summed}
