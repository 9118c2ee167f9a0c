"""Shadow mode: how often the customer's database and ours agreed, and where they did not."""

import sqlalchemy as sa
from alembic import op

from keystead.db.tables import Document

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "shadow_count",
        sa.Column("connection_id", sa.String(length=300), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connection.id"],
            name=op.f("fk_shadow_count_connection_id_connection"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("connection_id", "day", "kind", name=op.f("pk_shadow_count")),
    )
    op.create_table(
        "shadow_difference",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("connection_id", sa.String(length=300), nullable=False),
        sa.Column("user_id", sa.String(length=300), nullable=False),
        sa.Column("date", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("about", Document, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connection.id"],
            name=op.f("fk_shadow_difference_connection_id_connection"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["account.user_id"],
            name=op.f("fk_shadow_difference_user_id_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shadow_difference")),
    )
    for column in ("connection_id", "user_id", "date"):
        op.create_index(op.f(f"ix_shadow_difference_{column}"), "shadow_difference", [column])


def downgrade() -> None:
    for table in ("shadow_difference", "shadow_count"):
        op.drop_table(table)
