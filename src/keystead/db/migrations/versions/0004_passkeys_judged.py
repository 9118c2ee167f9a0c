"""What passkeys are judged by: who made their authenticators, and which of them were taken out of use."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "authenticator_model",
        sa.Column("aaguid", sa.String(length=80), nullable=False),
        sa.Column("record", DOCUMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("aaguid", name=op.f("pk_authenticator_model")),
    )
    with op.batch_alter_table("passkey", schema=None) as batch_op:
        batch_op.add_column(sa.Column("trust", sa.String(length=20), nullable=False, server_default="none"))
        batch_op.add_column(sa.Column("certificates", DOCUMENT, nullable=True))
        batch_op.add_column(sa.Column("attachment", sa.String(length=20), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("quarantined_at", MOMENT, nullable=True))
        batch_op.add_column(sa.Column("quarantine", sa.String(length=200), nullable=True))
    # A statement was verified, and its certificates were not kept: that somebody signed is all that is known.
    op.execute("UPDATE passkey SET trust = 'self' WHERE attestation_format <> 'none'")
    with op.batch_alter_table("passkey", schema=None) as batch_op:
        batch_op.alter_column("trust", server_default=None)
        batch_op.alter_column("attachment", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("passkey", schema=None) as batch_op:
        for column in ("quarantine", "quarantined_at", "attachment", "certificates", "trust"):
            batch_op.drop_column(column)
    op.drop_table("authenticator_model")
