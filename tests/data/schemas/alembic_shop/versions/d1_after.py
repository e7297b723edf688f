"""after the merge"""

import sqlalchemy as sa
from alembic import op

revision = "d1"
down_revision = "c1"


def upgrade():
    op.rename_table("orders", "purchases")
    op.create_table(
        "purchase_lines",
        sa.Column("purchase_id", sa.BigInteger(), sa.ForeignKey("purchases.id", ondelete="CASCADE"), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("sku", sa.CHAR(12), nullable=False, index=True),
        sa.PrimaryKeyConstraint("purchase_id", "line"),
    )
    op.drop_column("purchases", "note")
    op.create_foreign_key(None, "purchase_lines", "users", ["line"], ["id"])
    op.create_index("uq_lines_sku", "purchase_lines", ["sku", "line"], unique=True)
    connection = op.get_bind()
    connection.execute(sa.text("UPDATE users SET is_active = false WHERE deleted_at IS NOT NULL"))


def downgrade():
    op.drop_table("purchase_lines")
