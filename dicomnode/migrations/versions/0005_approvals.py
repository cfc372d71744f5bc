"""approved structure sets on their way to a case, and the pseudonyms of patients."""

import sqlalchemy as sa
from alembic import op

from dicomnode.tables import Utc

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply: what came before is not learnt from until it is sent again."""
    op.create_table(
        "patients",
        sa.Column("identity", sa.String(length=64), nullable=False),
        sa.Column("pseudonym", sa.String(length=12), nullable=False),
        sa.PrimaryKeyConstraint("identity"),
        sa.UniqueConstraint("pseudonym"),
    )
    op.create_table(
        "approvals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("ct_series_uid", sa.String(length=64), nullable=False),
        sa.Column("reviewed", sa.String(length=32), nullable=False),
        sa.Column("patient", sa.String(length=12), nullable=False),
        sa.Column("case_name", sa.String(), nullable=False),
        sa.Column("received", Utc(timezone=True), nullable=False),
        sa.Column("next_attempt", Utc(timezone=True), nullable=True),
        sa.Column("finished", Utc(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["sop_instance_uid"], ["instances.sop_instance_uid"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("sop_instance_uid"),
    )
    for column in ("state", "ct_series_uid", "patient"):
        op.create_index(op.f(f"ix_approvals_{column}"), "approvals", [column], unique=False)


def downgrade() -> None:
    """Take back."""
    for column in ("state", "ct_series_uid", "patient"):
        op.drop_index(op.f(f"ix_approvals_{column}"), table_name="approvals")
    op.drop_table("approvals")
    op.drop_table("patients")
