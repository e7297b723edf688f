"""another branch"""

import sqlalchemy as sa
from alembic import op

revision = "b2"
down_revision = "a1"


def upgrade():
    op.drop_table("scratch")
    op.alter_column("orders", "total", type_=sa.Numeric(14, 4), existing_type=sa.Numeric(10, 2), nullable=False, server_default="0")
    op.add_column("orders", sa.Column("parent_id", sa.BigInteger(), sa.ForeignKey("orders.id", name="fk_parent")))
    op.create_unique_constraint("uq_orders_user_state", "orders", ["user_id", "state", "note"])
    op.drop_constraint("ck_orders_total", "orders", type_="check")
    op.execute(
        sa.text(
            """
            ALTER TABLE orders
                ADD COLUMN weight real DEFAULT 1.5 NOT NULL,
                ADD CONSTRAINT ck_weight CHECK (weight > 0) NOT VALID;
            ALTER TABLE orders VALIDATE CONSTRAINT ck_weight;
            """
        )
    )


def downgrade():
    raise RuntimeError("there is no way back")
