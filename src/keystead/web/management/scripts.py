"""Action scripts tried, tested, watched and compared: ``/connections/{id}/scripts`` and ``/keystead/scripts``."""

from dataclasses import asdict
from typing import Any, Final, get_args

from starlette.requests import Request
from starlette.responses import Response

from keystead.db.shadow import Difference
from keystead.errors import BadRequest, InvalidPath, NoSuchConnection
from keystead.flows.script_health import Fared
from keystead.flows.script_trials import Trial
from keystead.flows.shadow import Report
from keystead.rules.action_scripts import NAMES, RefusalKind, ScriptName
from keystead.rules.claims import iso
from keystead.rules.connection_options import StoreKind
from keystead.rules.script_contract import ScriptTest, Status
from keystead.rules.script_health import State, versions
from keystead.rules.script_trials import Outcome, ScriptTrial
from keystead.rules.shadow import DAYS, ENOUGH, KEPT, KINDS, LISTED, by_day
from keystead.web.answers import Json
from keystead.web.endpoints import Body, Scoped
from keystead.web.flows import management_of
from keystead.web.management.connections import UPDATE_OPTIONS
from keystead.web.management.lists import PAGED, paged, pages_of
from keystead.web.management.operations import operation_of
from keystead.web.management.passkey_preview import READ_OPTIONS, READ_PEOPLE
from keystead.web.parameters import Choice, Number
from keystead.web.shapes import FLAG, MOMENT, NOTHING, NUMBER, OBJECT, TEXT, WHOLE, Shape, each, either, word

_ANYTHING: Final[dict[str, Any]] = {}
_REFUSAL: Final = Shape(
    "ScriptRefusal", {"kind": word(*get_args(RefusalKind)), "code": TEXT, "user_id": either(TEXT, NOTHING)}
)
_TRIAL: Final = Shape(
    "ScriptTried",
    {
        "script": TEXT,
        "language": TEXT,
        "outcome": word(*get_args(Outcome)),
        "value": _ANYTHING,
        "more": each(_ANYTHING),
        "refusal": either(_REFUSAL, NOTHING),
        "message": TEXT,
        "console": each(TEXT),
        "seconds": NUMBER,
        "meaning": TEXT,
        "profile": either(OBJECT, NOTHING),
        "warnings": each(TEXT),
    },
)

TRY: Final = Scoped(
    "Try an action script",
    scopes=(UPDATE_OPTIONS,),
    body=Body(ScriptTrial),
    answers={200: _TRIAL},
    refuses=(NoSuchConnection, BadRequest),
)


async def try_one(request: Request) -> Response:
    """``POST /connections/{id}/scripts/{name}/try``: one run, and what Keystead would make of it (CD-11)."""
    asked = await TRY.read(request)
    name, operation = _name(request), operation_of(request, asked.bearer)
    found = await management_of(request).trials.run(request.path_params["id"], name, asked.body, operation)
    return Json(_tried(found))


_FINDING: Final = Shape(
    "ScriptFinding",
    {
        "check": TEXT,
        "title": TEXT,
        "status": word(*get_args(Status)),
        "found": TEXT,
        "advice": TEXT,
        "seconds": NUMBER,
    },
)

TEST: Final = Scoped(
    "Test the action scripts of a connection",
    scopes=(UPDATE_OPTIONS,),
    body=Body(ScriptTest, required=False),
    answers={200: Shape("ScriptContract", {"passed": FLAG, "checks": each(_FINDING)})},
    refuses=(NoSuchConnection, BadRequest),
)


async def test(request: Request) -> Response:
    """``POST /connections/{id}/scripts/test``: the contract suite, on somebody who is made for it or was named."""
    asked = await TEST.read(request)
    operation = operation_of(request, asked.bearer)
    found = await management_of(request).trials.test(request.path_params["id"], asked.body, operation)
    failed = any(finding.status == "failed" for finding in found)
    return Json({"passed": not failed, "checks": [finding.on_wire() for finding in found]})


_PROCESS: Final = Shape(
    "ScriptHealth",
    {
        "circuit": word(*get_args(State)),
        "seconds_until_tried": NUMBER,
        **dict.fromkeys(("failures_in_a_row", "calls", "failures", "under_way", "waiting", "idle_children"), WHOLE),
        "last_failure": TEXT,
    },
)
_PEOPLE: Final = Shape(
    "ScriptPeople",
    {**dict.fromkeys(("here", "with_password", "with_passkey_alone", "not_moved"), WHOLE), "examples": each(TEXT)},
)
_NAMED: Final = 10
"""How many of the people who have not moved are named, to whoever may read users."""
_FAILED: Final = Shape("ScriptFailure", {"date": MOMENT, "script": TEXT, "text": TEXT})
STATUS: Final = Scoped(
    "Show how the action scripts of a connection fare",
    scopes=(READ_OPTIONS,),
    answers={
        200: Shape(
            "ScriptStatus",
            {
                "connection_id": TEXT,
                "store": word(*get_args(StoreKind)),
                "language": TEXT,
                "scripts": each(TEXT),
                "shadow_mode": FLAG,
                "versions": Shape("ScriptVersions", {"node": TEXT, "python": TEXT}),
                "this_process": _PROCESS,
                "last_day": Shape("ScriptFailures", {"failures": WHOLE, "newest": each(_FAILED)}),
                "people": _PEOPLE,
            },
        )
    },
    refuses=(NoSuchConnection,),
)


async def status(request: Request) -> Response:
    """``GET /keystead/scripts/{connection_id}``: circuit and failures, what runs scripts, who needs them."""
    asked = await STATUS.read(request)
    examples, flow = _NAMED if READ_PEOPLE in asked.bearer.scope else 0, management_of(request).script_status
    return Json(_fared(await flow.show(request.path_params["connection_id"], examples=examples)))


_COUNTS: Final = Shape("ShadowCounts", {}, dict.fromkeys(KINDS, WHOLE))
_DIFFERENCE: Final = Shape(
    "ShadowDifference",
    {
        "id": TEXT,
        "date": MOMENT,
        "user_id": TEXT,
        "kind": word(*sorted(LISTED)),
    },
    {"attributes": each(TEXT), "known_there": FLAG, "other_user_id": TEXT},
)
_DAYS: Final = Number("days", DAYS, most=KEPT.days, least=1)
_ENOUGH: Final = Number("enough", ENOUGH, most=1_000_000, least=1)
_KIND: Final = Choice("kind", tuple(sorted(LISTED)))

SHADOW: Final = Scoped(
    "Show what shadow mode found",
    scopes=(READ_OPTIONS,),
    query=(_DAYS, _ENOUGH),
    answers={
        200: Shape(
            "ShadowReport",
            {
                "connection_id": TEXT,
                "shadow_mode": FLAG,
                "ready": FLAG,
                "advice": TEXT,
                "counts": _COUNTS,
                "days": each(Shape("ShadowDay", {"date": TEXT, "counts": _COUNTS})),
            },
        )
    },
    refuses=(NoSuchConnection,),
)


async def shadow(request: Request) -> Response:
    """``GET /keystead/scripts/{connection_id}/shadow``: counts by day, and whether a cut-over is advised."""
    asked = await SHADOW.read(request)
    connection_id, flow = request.path_params["connection_id"], management_of(request).shadow
    return Json(_report(await flow.report(connection_id, days=asked[_DAYS], enough=asked[_ENOUGH])))


DIFFERENCES: Final = Scoped(
    "List the logins that shadow mode found different",
    scopes=(READ_OPTIONS,),
    besides=("read:users",),
    query=(*PAGED, _KIND),
    answers={200: pages_of("differences", _DIFFERENCE)},
    refuses=(NoSuchConnection,),
)


async def differences(request: Request) -> Response:
    """``GET /keystead/scripts/{connection_id}/shadow/differences``: newest first, and never a password."""
    asked = await DIFFERENCES.read(request)
    page, flow = paged(asked), management_of(request).shadow
    connection_id = request.path_params["connection_id"]
    found, total = await flow.differences(connection_id, asked[_KIND], page.start, page.size)
    return page.answer("differences", [_difference(each) for each in found], total)


FORGET: Final = Scoped(
    "Forget what shadow mode found",
    scopes=(UPDATE_OPTIONS,),
    answers={204: None},
    refuses=(NoSuchConnection,),
)


async def forget(request: Request) -> Response:
    """``DELETE /keystead/scripts/{connection_id}/shadow``: begin anew, as after something was mended."""
    operation = operation_of(request, (await FORGET.read(request)).bearer)
    await management_of(request).shadow.forget(request.path_params["connection_id"], operation)
    return Response(status_code=204)


def _name(request: Request) -> ScriptName:
    asked = request.path_params["name"]
    name = next((each for each in NAMES if each == asked), None)
    if name is None:
        raise InvalidPath(f"No enum match for: {asked[:100]}", path="name")
    return name


def _tried(found: Trial) -> dict[str, Any]:
    refusal = found.refusal
    shown = {"kind": refusal.kind, "code": refusal.code, "user_id": refusal.user_id} if refusal else None
    return {
        "script": found.script,
        "language": found.language,
        "outcome": found.tried.outcome,
        "value": found.value,
        "more": list(found.more),
        "refusal": shown,
        "message": found.message,
        "console": list(found.console),
        "seconds": round(found.tried.seconds, 4),
        "meaning": found.meaning,
        "profile": found.profile,
        "warnings": list(found.warnings),
    }


def _fared(found: Fared) -> dict[str, Any]:
    options = found.connection.policy()
    newest = [{"date": iso(each.date), "script": each.script, "text": each.text} for each in found.failed]
    return {
        "connection_id": found.connection.id,
        "store": options.store,
        "language": options.script_language,
        "scripts": [name for name in NAMES if name in options.scripts],
        "shadow_mode": options.shadow_mode,
        "versions": versions(found.interpreters),
        "this_process": found.health.on_wire(),
        "last_day": {"failures": found.failures, "newest": newest},
        "people": asdict(found.people),
    }


def _report(found: Report) -> dict[str, Any]:
    return {
        "connection_id": found.connection.id,
        "shadow_mode": found.connection.policy().shadow_mode,
        "ready": found.advice.ready,
        "advice": found.advice.text,
        "counts": found.totals,
        "days": by_day(found.days),
    }


def _difference(found: Difference) -> dict[str, Any]:
    shown = {"id": found.id, "date": iso(found.date), "user_id": found.user_id, "kind": found.kind}
    about = {"other_user_id" if name == "user_id" else name: value for name, value in found.about.items()}
    return shown | about
