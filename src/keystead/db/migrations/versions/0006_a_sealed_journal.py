"""The journal in a chain of sealed batches, and where it is sent on to."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("journal", schema=None) as batch_op:
        batch_op.add_column(sa.Column("actor", sa.String(length=300), nullable=True))
        batch_op.add_column(sa.Column("request_id", sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column("seal", sa.Integer(), nullable=True))
        for column in ("request_id", "seal"):
            batch_op.create_index(batch_op.f(f"ix_journal_{column}"), [column], unique=False)
    op.create_table(
        "journal_seal",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sealed_at", MOMENT, nullable=False),
        sa.Column("first_id", sa.String(length=60), nullable=False),
        sa.Column("last_id", sa.String(length=60), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("leaves", sa.LargeBinary(), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("mac", sa.String(length=64), nullable=False),
        sa.Column("pruned_at", MOMENT, nullable=True),
        sa.Column("pruned_mac", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_journal_seal")),
    )
    op.create_table(
        "log_stream",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("settings", DOCUMENT, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("after_seal", sa.Integer(), nullable=False),
        sa.Column("after_id", sa.String(length=60), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("run_at", MOMENT, nullable=False),
        sa.Column("error", sa.String(length=500), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_stream")),
        sa.UniqueConstraint("name", name=op.f("uq_log_stream_name")),
    )
    with op.batch_alter_table("log_stream", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_log_stream_run_at"), ["run_at"], unique=False)


def downgrade() -> None:
    op.drop_table("log_stream")
    op.drop_table("journal_seal")
    with op.batch_alter_table("journal", schema=None) as batch_op:
        for column in ("seal", "request_id"):
            batch_op.drop_index(batch_op.f(f"ix_journal_{column}"))
            batch_op.drop_column(column)
        batch_op.drop_column("actor")
