"""What an authorization server keeps: grants, consent, keys that follow each other, sessions with their clients."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
_IN_RECORD = {
    "sqlite": "coalesce(json_extract(record, '$.authority.session_id'), '')",
    "postgresql": "coalesce(record #>> '{authority,session_id}', '')",
}


def upgrade() -> None:
    op.create_table(
        "used_assertion",
        sa.Column("assertion_hash", sa.String(length=64), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("assertion_hash", name=op.f("pk_used_assertion")),
    )
    with op.batch_alter_table("used_assertion", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_used_assertion_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "client_credential",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("client_id", sa.String(length=300), nullable=False),
        sa.Column("kid", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("algorithm", sa.String(length=10), nullable=False),
        sa.Column("public_jwk", DOCUMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client.client_id"], name=op.f("fk_client_credential_client_id_client"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_credential")),
    )
    with op.batch_alter_table("client_credential", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_client_credential_client_id"), ["client_id"], unique=False)

    op.create_table(
        "pushed_request",
        sa.Column("uri_hash", sa.String(length=64), nullable=False),
        sa.Column("client_id", sa.String(length=300), nullable=False),
        sa.Column("parameters", DOCUMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client.client_id"], name=op.f("fk_pushed_request_client_id_client"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("uri_hash", name=op.f("pk_pushed_request")),
    )
    with op.batch_alter_table("pushed_request", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_pushed_request_client_id"), ["client_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_pushed_request_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "consent",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.String(length=300), nullable=False),
        sa.Column("client_id", sa.String(length=300), nullable=False),
        sa.Column("audience", sa.String(length=600), nullable=False),
        sa.Column("scope", DOCUMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client.client_id"], name=op.f("fk_consent_client_id_client"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["account.user_id"], name=op.f("fk_consent_user_id_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
        sa.UniqueConstraint("user_id", "client_id", "audience", name=op.f("uq_consent_user_id_client_id_audience")),
    )
    with op.batch_alter_table("consent", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_consent_client_id"), ["client_id"], unique=False)

    op.create_table(
        "session_client",
        sa.Column("session_id", sa.String(length=300), nullable=False),
        sa.Column("client_id", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client.client_id"], name=op.f("fk_session_client_client_id_client"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["login_session.id"],
            name=op.f("fk_session_client_session_id_login_session"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("session_id", "client_id", name=op.f("pk_session_client")),
    )
    with op.batch_alter_table("session_client", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_session_client_client_id"), ["client_id"], unique=False)

    with op.batch_alter_table("api", schema=None) as batch_op:
        batch_op.add_column(sa.Column("signing_alg", sa.String(length=10), nullable=False, server_default="RS256"))
        batch_op.add_column(sa.Column("user_policy", sa.String(length=30), nullable=False, server_default="allow_all"))
        batch_op.add_column(
            sa.Column("client_policy", sa.String(length=30), nullable=False, server_default="require_client_grant")
        )
        batch_op.add_column(sa.Column("settings", DOCUMENT, nullable=False, server_default="{}"))

    with op.batch_alter_table("authorization_code", schema=None) as batch_op:
        batch_op.add_column(sa.Column("session_id", sa.String(length=40), nullable=False, server_default=""))
        batch_op.create_index(batch_op.f("ix_authorization_code_session_id"), ["session_id"], unique=False)

    with op.batch_alter_table("ceremony", schema=None) as batch_op:
        batch_op.add_column(sa.Column("subject", sa.String(length=300), nullable=False, server_default=""))
        batch_op.create_index(batch_op.f("ix_ceremony_subject"), ["subject"], unique=False)

    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.add_column(sa.Column("previous_secret_hash", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("previous_secret_until", MOMENT, nullable=True))

    with op.batch_alter_table("client_grant", schema=None) as batch_op:
        batch_op.add_column(sa.Column("subject_type", sa.String(length=10), nullable=False, server_default="client"))
        batch_op.add_column(sa.Column("allow_all_scopes", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.drop_constraint(batch_op.f("uq_client_grant_client_id_api_id"), type_="unique")
        batch_op.create_unique_constraint(
            batch_op.f("uq_client_grant_client_id_api_id_subject_type"), ["client_id", "api_id", "subject_type"]
        )

    with op.batch_alter_table("login_session", schema=None) as batch_op:
        batch_op.add_column(sa.Column("ended_at", MOMENT, nullable=True))
        batch_op.add_column(sa.Column("last_ip", sa.String(length=45), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("last_user_agent", sa.String(length=300), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("persistent", sa.Boolean(), nullable=False, server_default=sa.true()))
        batch_op.add_column(sa.Column("about", DOCUMENT, nullable=True))

    with op.batch_alter_table("refresh_token", schema=None) as batch_op:
        batch_op.add_column(sa.Column("session_id", sa.String(length=40), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("last_exchanged_at", MOMENT, nullable=True))
        batch_op.add_column(sa.Column("ip", sa.String(length=45), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("user_agent", sa.String(length=300), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("about", DOCUMENT, nullable=True))
        batch_op.create_index(batch_op.f("ix_refresh_token_session_id"), ["session_id"], unique=False)

    with op.batch_alter_table("signing_key", schema=None) as batch_op:
        batch_op.add_column(sa.Column("current_since", MOMENT, nullable=True))
        batch_op.add_column(sa.Column("current_until", MOMENT, nullable=True))

    op.execute(sa.text("UPDATE api SET user_policy = 'deny_all' WHERE identifier = '/api/v2/'"))
    op.execute(sa.text("UPDATE api SET client_policy = 'deny_all' WHERE identifier = '/me/'"))
    op.execute(sa.text("UPDATE signing_key SET current_since = created_at"))
    op.execute(sa.text("UPDATE login_session SET last_ip = ip, last_user_agent = user_agent"))
    for table in ("refresh_token", "authorization_code"):
        found = _IN_RECORD[op.get_bind().dialect.name]
        op.execute(sa.text(f"UPDATE {table} SET session_id = {found}"))  # noqa: S608 - both are constants of this file


def downgrade() -> None:
    with op.batch_alter_table("signing_key", schema=None) as batch_op:
        batch_op.drop_column("current_until")
        batch_op.drop_column("current_since")

    with op.batch_alter_table("refresh_token", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_refresh_token_session_id"))
        batch_op.drop_column("about")
        batch_op.drop_column("user_agent")
        batch_op.drop_column("ip")
        batch_op.drop_column("last_exchanged_at")
        batch_op.drop_column("session_id")

    with op.batch_alter_table("login_session", schema=None) as batch_op:
        batch_op.drop_column("about")
        batch_op.drop_column("persistent")
        batch_op.drop_column("last_user_agent")
        batch_op.drop_column("last_ip")
        batch_op.drop_column("ended_at")

    with op.batch_alter_table("client_grant", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_client_grant_client_id_api_id_subject_type"), type_="unique")
        batch_op.create_unique_constraint(batch_op.f("uq_client_grant_client_id_api_id"), ["client_id", "api_id"])
        batch_op.drop_column("allow_all_scopes")
        batch_op.drop_column("subject_type")

    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.drop_column("previous_secret_until")
        batch_op.drop_column("previous_secret_hash")

    with op.batch_alter_table("ceremony", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_ceremony_subject"))
        batch_op.drop_column("subject")

    with op.batch_alter_table("authorization_code", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_authorization_code_session_id"))
        batch_op.drop_column("session_id")

    with op.batch_alter_table("api", schema=None) as batch_op:
        batch_op.drop_column("settings")
        batch_op.drop_column("client_policy")
        batch_op.drop_column("user_policy")
        batch_op.drop_column("signing_alg")

    with op.batch_alter_table("session_client", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_session_client_client_id"))

    op.drop_table("session_client")
    with op.batch_alter_table("consent", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_consent_client_id"))

    op.drop_table("consent")
    with op.batch_alter_table("pushed_request", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_pushed_request_expires_at"))
        batch_op.drop_index(batch_op.f("ix_pushed_request_client_id"))

    op.drop_table("pushed_request")
    with op.batch_alter_table("client_credential", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_client_credential_client_id"))

    op.drop_table("client_credential")
    with op.batch_alter_table("used_assertion", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_used_assertion_expires_at"))

    op.drop_table("used_assertion")
