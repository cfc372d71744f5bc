"""results of several kinds: of which modality and for whom."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply: what is there already are structure sets in the clinical profile."""
    with op.batch_alter_table("results", schema=None) as batch_op:
        batch_op.add_column(sa.Column("modality", sa.String(length=16), nullable=False, server_default="RTSTRUCT"))
        batch_op.add_column(sa.Column("profile", sa.String(length=16), nullable=False, server_default="clinical"))
    with op.batch_alter_table("results", schema=None) as batch_op:
        batch_op.alter_column("modality", existing_type=sa.String(length=16), server_default=None)
        batch_op.alter_column("profile", existing_type=sa.String(length=16), server_default=None)


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("results", schema=None) as batch_op:
        batch_op.drop_column("profile")
        batch_op.drop_column("modality")
