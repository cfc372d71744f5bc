"""proofs of delivery, asked for and given."""

import sqlalchemy as sa
from alembic import op

from dicomnode.tables import Utc

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply: of what was sent before nobody was asked for a proof."""
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.add_column(sa.Column("proof", sa.String(length=16), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("proof_attempts", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE deliveries SET proof = 'accepted' WHERE state = 'sent'")
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.alter_column("proof", existing_type=sa.String(length=16), server_default=None)
        batch_op.alter_column("proof_attempts", existing_type=sa.Integer(), server_default=None)
    op.create_table(
        "commitments",
        sa.Column("transaction_uid", sa.String(length=64), nullable=False),
        sa.Column("delivery_id", sa.Integer(), nullable=False),
        sa.Column("asked", Utc(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"]),
        sa.PrimaryKeyConstraint("transaction_uid"),
    )
    op.create_index(op.f("ix_commitments_delivery_id"), "commitments", ["delivery_id"], unique=False)
    op.create_table(
        "commitment_requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("transaction_uid", sa.String(length=64), nullable=False),
        sa.Column("peer", sa.String(length=16), nullable=False),
        sa.Column("references", sa.JSON(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("received", Utc(timezone=True), nullable=False),
        sa.Column("next_attempt", Utc(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("commitment_requests")
    op.drop_index(op.f("ix_commitments_delivery_id"), table_name="commitments")
    op.drop_table("commitments")
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.drop_column("proof_attempts")
        batch_op.drop_column("proof")
