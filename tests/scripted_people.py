"""A customer's database behind scripts, in both languages: people in the memory of the child that runs them.

What one script writes is there for the next as long as the child lives; a test that changes a script begins anew.
"""

import json
from collections.abc import Mapping
from typing import Any

from keystead.rules.action_scripts import ScriptLanguage
from world import PASSWORD

EMAIL = "ann@example.com"
ANN = {"id": 7, "email": EMAIL, "password": PASSWORD, "verified": True}

_NODE_HEAD = """
  const people = global.people = global.people || SEED;
  const found = (typed) => people.find((each) => each.email === typed);
  const profile = (row) => ({ user_id: String(row.id), email: row.email, email_verified: row.verified });
"""
_NODE = {
    "login": """function login(identifier, password, callback) {HEAD
  const row = found(identifier);
  if (!row || row.password !== password) {
    return callback(new WrongUsernameOrPasswordError(row ? String(row.id) : null, 'no'));
  }
  callback(null, profile(row));
}""",
    "get_user": """function getByEmail(identifier, callback) {HEAD
  const row = found(identifier);
  callback(null, row ? profile(row) : null);
}""",
    "create": """function create(user, callback) {HEAD
  if (found(user.email)) return callback(new ValidationError('user_exists', 'taken'));
  people.push({ id: 100 + people.length, email: user.email, password: user.password, verified: false });
  callback(null);
}""",
    "verify": """function verify(email, callback) {HEAD
  const row = found(email);
  if (row) row.verified = true;
  callback(null, Boolean(row));
}""",
    "change_password": """function changePassword(email, newPassword, callback) {HEAD
  const row = found(email);
  if (row) row.password = newPassword;
  callback(null, Boolean(row));
}""",
    "change_email": """function changeEmail(email, newEmail, verified, callback) {HEAD
  const row = found(email);
  if (row) row.email = newEmail;
  callback(null, Boolean(row));
}""",
    "delete": """function remove(id, callback) {HEAD
  const at = people.findIndex((each) => String(each.id) === id);
  if (at >= 0) people.splice(at, 1);
  callback(null);
}""",
}

_PYTHON_HEAD = """
import json
import keystead_scripts
from keystead_scripts import ValidationError, WrongUsernameOrPasswordError

people = keystead_scripts.__dict__.setdefault("people", json.loads(SEED))

def found(typed):
    return next((each for each in people if each["email"] == typed), None)

def profile(row):
    return {"user_id": str(row["id"]), "email": row["email"], "email_verified": row["verified"]}
"""
_PYTHON = {
    "login": """HEAD
def login(identifier, password):
    row = found(identifier)
    if row is None or row["password"] != password:
        raise WrongUsernameOrPasswordError(row and row["id"], "no")
    return profile(row)
""",
    "get_user": """HEAD
async def get_user(identifier):
    row = found(identifier)
    return profile(row) if row else None
""",
    "create": """HEAD
def create(user):
    if found(user["email"]):
        raise ValidationError("user_exists", "taken")
    people.append({"id": 100 + len(people), "email": user["email"], "password": user["password"], "verified": False})
""",
    "verify": """HEAD
def verify(email):
    row = found(email)
    if row:
        row["verified"] = True
    return bool(row)
""",
    "change_password": """HEAD
def change_password(email, new_password):
    row = found(email)
    if row:
        row["password"] = new_password
    return bool(row)
""",
    "change_email": """HEAD
def change_email(email, new_email, verified):
    row = found(email)
    if row:
        row["email"] = new_email
    return bool(row)
""",
    "delete": """HEAD
def delete(user_id):
    people[:] = [each for each in people if str(each["id"]) != user_id]
""",
}


def scripts(language: ScriptLanguage, *people: Mapping[str, Any]) -> dict[str, str]:
    """Return all scripts, for a database that holds these people at first."""
    seed = json.dumps([dict(each) for each in people])
    if language == "node":
        head = _NODE_HEAD.replace("SEED", seed)
        return {name: source.replace("HEAD", head) for name, source in _NODE.items()}
    head = _PYTHON_HEAD.replace("SEED", repr(seed))
    return {name: source.replace("HEAD", head) for name, source in _PYTHON.items()}


def options(language: ScriptLanguage, *people: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return options of a connection with all scripts."""
    custom = {"enabledDatabaseCustomization": True, "script_language": language}
    return custom | {"customScripts": scripts(language, *people)} | more
