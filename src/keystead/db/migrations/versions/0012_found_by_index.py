"""What is due and what is over are found by an index: each look for work and each sweep read whole tables before."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index(op.f("ix_job_run_at"), "job")
    for name, table, column, where in (
        ("ix_job_waiting", "job", "run_at", sa.text("finished_at IS NULL")),
        ("ix_job_finished_at", "job", "finished_at", sa.text("finished_at IS NOT NULL")),
        ("ix_login_session_ended_at", "login_session", "ended_at", sa.text("ended_at IS NOT NULL")),
    ):
        op.create_index(name, table, [column], sqlite_where=where, postgresql_where=where)
    for column in ("expires_at", "idle_expires_at"):
        op.create_index(op.f(f"ix_refresh_token_{column}"), "refresh_token", [column])


def downgrade() -> None:
    for column in ("idle_expires_at", "expires_at"):
        op.drop_index(op.f(f"ix_refresh_token_{column}"), "refresh_token")
    for name, table in (
        ("ix_login_session_ended_at", "login_session"),
        ("ix_job_finished_at", "job"),
        ("ix_job_waiting", "job"),
    ):
        op.drop_index(name, table)
    op.create_index(op.f("ix_job_run_at"), "job", ["run_at"])
