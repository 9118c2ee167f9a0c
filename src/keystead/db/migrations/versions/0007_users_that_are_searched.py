"""What users are searched by: names in one case, domains, and indexes in the order of lists."""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

NAMES = ("name", "nickname", "given_name", "family_name")
FOLDED = tuple(f"{name}_folded" for name in NAMES)
IDENTIFIERS = {"email": 254, "phone_number": 20, "username": 128}
AT_ONCE = 1000


def bytewise(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def folded(text: str | None) -> str | None:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())[:300] if text else None


def upgrade() -> None:
    with op.batch_alter_table("account", schema=None) as batch_op:
        for column in ("email_domain", *FOLDED):
            batch_op.add_column(sa.Column(column, bytewise(300), nullable=True))
        for column in ("email", "created_at", "connection_id"):
            batch_op.drop_index(batch_op.f(f"ix_account_{column}"))
    collated("C")
    fill()
    for column in ("created_at", "connection_id", "email_domain"):
        columns = dict.fromkeys((column, "created_at", "user_id"))
        op.create_index(f"ix_account_{column}", "account", list(columns), unique=False)
    for column in ("email", "name_folded", "nickname_folded"):
        op.create_index(f"ix_account_{column}", "account", [column], unique=False)
    for column in ("phone_number", "username", "given_name_folded", "family_name_folded"):
        given = sa.text(f"{column} IS NOT NULL")
        op.create_index(
            f"ix_account_{column}", "account", [column], unique=False, sqlite_where=given, postgresql_where=given
        )


def collated(collation: str) -> None:
    """Set how PostgreSQL compares identifiers; SQLite compares bytes anyway."""
    if op.get_bind().dialect.name == "postgresql":
        for column, length in IDENTIFIERS.items():
            op.execute(f'ALTER TABLE account ALTER COLUMN {column} TYPE VARCHAR({length}) COLLATE "{collation}"')


def fill() -> None:
    """Write down what follows from what is there, some accounts at a time."""
    account = sa.table("account", *(sa.column(each) for each in ("user_id", "email", "email_domain", *NAMES, *FOLDED)))
    rows = sa.select(account.c.user_id, account.c.email, *(account.c[name] for name in NAMES))
    change = sa.update(account).where(account.c.user_id == sa.bindparam("who"))
    change = change.values({each: sa.bindparam(f"new_{each}") for each in ("email_domain", *FOLDED)})
    last = ""
    while (
        found := op.get_bind()
        .execute(rows.where(account.c.user_id > last).order_by(account.c.user_id).limit(AT_ONCE))
        .all()
    ):
        op.get_bind().execute(
            change,
            [
                {"who": row.user_id, "new_email_domain": row.email.rpartition("@")[2] if row.email else None}
                | {f"new_{name}_folded": folded(getattr(row, name)) for name in NAMES}
                for row in found
            ],
        )
        last = found[-1].user_id


def downgrade() -> None:
    for column in ("phone_number", "username", *FOLDED, "email_domain", "email", "created_at", "connection_id"):
        op.drop_index(f"ix_account_{column}", "account")
    collated("default")
    with op.batch_alter_table("account", schema=None) as batch_op:
        for column in (*FOLDED, "email_domain"):
            batch_op.drop_column(column)
        for column in ("email", "created_at", "connection_id"):
            batch_op.create_index(batch_op.f(f"ix_account_{column}"), [column], unique=False)
