"""The page about the relying party tells its members and figures as they are."""

import re
from pathlib import Path

from starlette.routing import Route

from keystead.rules.relying_party import MOST_LABELS, RelyingPartyMembers
from keystead.web.routes import routes

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "relying-party.md").read_text(encoding="utf-8")
WORDS = {5: "five", 10: "ten"}


def test_every_member_is_told_with_its_default() -> None:
    told = dict(re.findall(r"^\| `([a-z_]+)` \| (.+?) \|", PAGE.partition("| member |")[2], flags=re.MULTILINE))
    assert told == {
        "id": "the public host",
        "name": "the id",
        **{name: "`[]`" for name, field in RelyingPartyMembers.model_fields.items() if field.default == []},
    }


def test_figures_are_told() -> None:
    bounds = RelyingPartyMembers.model_json_schema()["properties"]
    assert f"up to {WORDS[bounds['retiring']['maxItems']]} older ids" in PAGE
    assert f"heed {WORDS[MOST_LABELS]} of them" in PAGE
    (longest,) = (each["maxLength"] for each in bounds["name"]["anyOf"] if "maxLength" in each)
    assert f"up to {longest} characters" in PAGE


def test_documents_are_routes() -> None:
    served = {route.path for route in routes(ROOT / "static") if isinstance(route, Route)}
    named = set(re.findall(r"^(/\.well-known/\S+)$", PAGE, flags=re.MULTILINE))
    assert len(named) == 4
    assert named <= served
