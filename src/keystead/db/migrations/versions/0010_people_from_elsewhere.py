"""People who come from elsewhere: hashes of other systems, files of imports and exports, what scripts return."""

import sqlalchemy as sa
from alembic import op

from keystead.db.tables import Document

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _hashes(4000)
    op.add_column("account", sa.Column("other_attributes", Document, nullable=True))
    op.add_column("account", sa.Column("sealed_extras", sa.LargeBinary(), nullable=True))
    op.add_column("job", sa.Column("about", Document, nullable=True))
    for name, content in (("job_file", ("sealed", sa.LargeBinary())), ("job_row", ("found", Document))):
        op.create_table(
            name,
            sa.Column("job_id", sa.String(length=300), nullable=False),
            sa.Column("number", sa.Integer(), nullable=False),
            sa.Column(*content, nullable=False),
            sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f(f"fk_{name}_job_id_job"), ondelete="CASCADE"),
            sa.PrimaryKeyConstraint("job_id", "number", name=op.f(f"pk_{name}")),
        )
    op.create_table(
        "job_claim",
        sa.Column("job_id", sa.String(length=300), nullable=False),
        sa.Column("claim", sa.LargeBinary(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_job_claim_job_id_job"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "claim", name=op.f("pk_job_claim")),
    )


def downgrade() -> None:
    for table in ("job_claim", "job_row", "job_file"):
        op.drop_table(table)
    op.drop_column("job", "about")
    for column in ("sealed_extras", "other_attributes"):
        op.drop_column("account", column)
    _hashes(255)


def _hashes(length: int) -> None:
    """Change how long a hash may be. SQLite does not look at lengths."""
    if op.get_bind().dialect.name == "postgresql":
        for table in ("account", "old_password"):
            op.alter_column(table, "password_hash", type_=sa.String(length=length))
