"""``keystead settings``: what administrators may change while it runs."""

from typing import Annotated, Final

import typer

from keystead.cli.api import Api
from keystead.cli.commands import Body, Sets, body_of, command, noun
from keystead.cli.terminal import refuse

app = noun("Settings that are in the database: of the tenant, of sessions, of attack protection, of pages.")

SUBJECTS: Final = {
    "tenant": "/tenants/settings",
    "sessions": "/keystead/sessions",
    "relying-party": "/keystead/relying-party",
    "locks": "/keystead/attack-protection",
    "brute-force-protection": "/attack-protection/brute-force-protection",
    "suspicious-ip-throttling": "/attack-protection/suspicious-ip-throttling",
    "breached-password-detection": "/attack-protection/breached-password-detection",
    "bot-detection": "/attack-protection/bot-detection",
    "captcha": "/attack-protection/captcha",
    "branding": "/branding",
    "prompts": "/prompts",
}

Subject = Annotated[
    str, typer.Argument(help=f"One of {', '.join(SUBJECTS)}.", show_default=False, autocompletion=lambda: [*SUBJECTS])
]
Stranded = Annotated[
    int | None, typer.Option(min=0, help="How many people may be left without a way to sign in.", show_default="none")
]


@command(app, "show", *(f"GET {path}" for path in SUBJECTS.values()))
def show(api: Api, subject: Subject) -> None:
    """Show the settings of a subject.

    Example:  keystead settings show brute-force-protection
    """
    api.shown(api.ask(f"GET {_path(subject)}"))


@command(app, "update", *(f"PATCH {path}" for path in SUBJECTS.values()))
def update(api: Api, subject: Subject, sets: Sets = None, body: Body = None, accept_stranded: Stranded = None) -> None:
    """Change the settings of a subject.

    Example:  keystead settings update brute-force-protection --set max_attempts=5
    """
    wanted = body_of(body, sets)
    if not wanted:
        raise refuse("there is nothing to change: give --set or --body")
    query = {} if accept_stranded is None else {"accept_stranded": accept_stranded}
    changed = api.ask(f"PATCH {_path(subject)}", body=wanted, **query)
    api.done(changed, f"the settings of {subject} are changed")


def _path(subject: str) -> str:
    if subject not in SUBJECTS:
        raise refuse(f"there are no settings of {subject}: it is one of {', '.join(SUBJECTS)}")
    return SUBJECTS[subject]
