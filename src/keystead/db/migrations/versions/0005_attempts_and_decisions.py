"""Attempts that expire by themselves, and why requests were refused."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
KEY = sa.String(length=600).with_variant(sa.String(length=600, collation="C"), "postgresql")


def upgrade() -> None:
    # The keys have another form: what was counted before cannot be carried over, and every lock is open once.
    op.drop_table("attempt")
    op.create_table(
        "attempt",
        sa.Column("key", KEY, nullable=False),
        sa.Column("spent", sa.Float(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("until", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_attempt")),
    )
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_attempt_until"), ["until"], unique=False)
    op.create_table(
        "decision",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("date", MOMENT, nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("detail", sa.String(length=500), nullable=False),
        sa.Column("facts", DOCUMENT, nullable=False),
        sa.Column("connection_id", sa.String(length=20), nullable=True),
        sa.Column("user_id", sa.String(length=300), nullable=True),
        sa.Column("identifier", sa.String(length=280), nullable=True),
        sa.Column("client_id", sa.String(length=64), nullable=True),
        sa.Column("path", sa.String(length=200), nullable=False),
        sa.Column("ip", sa.String(length=45), nullable=False),
        sa.Column("user_agent", sa.String(length=300), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
    )
    with op.batch_alter_table("decision", schema=None) as batch_op:
        for column in ("date", "identifier", "user_id"):
            batch_op.create_index(batch_op.f(f"ix_decision_{column}"), [column], unique=False)
    with op.batch_alter_table("journal", schema=None) as batch_op:
        batch_op.add_column(sa.Column("decision", sa.String(length=40), nullable=True))
        batch_op.create_index(batch_op.f("ix_journal_decision"), ["decision"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("journal", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_journal_decision"))
        batch_op.drop_column("decision")
    op.drop_table("decision")
    op.drop_table("attempt")
    op.create_table(
        "attempt",
        sa.Column("key", sa.String(length=600), nullable=False),
        sa.Column("spent", sa.Float(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_attempt")),
    )
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_attempt_at"), ["at"], unique=False)
