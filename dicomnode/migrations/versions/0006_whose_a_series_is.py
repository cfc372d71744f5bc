"""whose a series is, by a keyed digest of the Patient ID."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply: of what was contoured before it is not known. The table, to which others refer, is not built anew."""
    op.add_column("series", sa.Column("patient", sa.String(length=64), nullable=False, server_default=sa.text("''")))
    op.create_index(op.f("ix_series_patient"), "series", ["patient"], unique=False)


def downgrade() -> None:
    """Take back."""
    op.drop_index(op.f("ix_series_patient"), table_name="series")
    op.drop_column("series", "patient")
