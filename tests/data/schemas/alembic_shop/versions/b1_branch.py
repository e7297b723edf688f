"""one branch"""

import sqlalchemy as sa
from alembic import op

revision: str = "b1"
down_revision: str | None = "a1"

TABLES = ["users", "orders"]


def add_stamps(table):
    op.add_column(table, sa.Column("updated_at", sa.DateTime(), nullable=True))


def upgrade() -> None:
    for name in TABLES:
        op.add_column(name, sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.add_column(sa.Column("age", sa.SmallInteger(), nullable=True))
        batch_op.alter_column("full_name", new_column_name="display_name", existing_type=sa.String(60))
        batch_op.create_index("ix_users_age", ["age"], unique=False, postgresql_where=sa.text("age IS NOT NULL"))
        batch_op.drop_index("ix_users_full_name")
    op.execute("CREATE INDEX ix_users_lower_email ON users (lower(email))")


def downgrade() -> None:
    op.drop_index("ix_users_lower_email")
