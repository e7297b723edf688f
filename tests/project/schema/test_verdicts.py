"""What REL312 says of a statement equals what PostgreSQL says of it, over the same schema."""

from __future__ import annotations

from pathlib import Path

import contract
import pytest
import sqlalchemy
from sqlalchemy.exc import DBAPIError
from test_oracles import database, server

__all__ = ["database", "server"]

SCHEMA = """
CREATE TABLE users (
    id bigserial PRIMARY KEY, email text NOT NULL UNIQUE, name varchar(20), age int, is_active boolean NOT NULL DEFAULT true,
    token uuid, score numeric(6, 2), created_at timestamptz NOT NULL DEFAULT now(), meta jsonb, tags text[]
);
CREATE TABLE orders (
    id bigserial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users (id), total numeric(10, 2) NOT NULL, note text, placed date
);
CREATE TABLE "Mixed" (id int PRIMARY KEY, "someName" text);
"""
STATEMENTS = [
    "SELECT id FROM users",
    "SELECT u.id, o.total FROM users u JOIN orders o ON o.user_id = u.id",
    "SELECT nothing FROM users",
    "SELECT u.nothing FROM users u",
    "SELECT x.id FROM users u",
    "SELECT id FROM users u, orders o",
    "SELECT users.id FROM users u",
    "SELECT id, count(*) FROM orders GROUP BY id HAVING count(*) > 1 ORDER BY 2",
    "SELECT email AS mail FROM users ORDER BY mail",
    "SELECT email AS mail FROM users WHERE mail = 'x'",
    "SELECT lower(email) FROM users WHERE age > 5 AND is_active",
    "SELECT id FROM users WHERE is_active = 1",
    "SELECT id FROM users WHERE age = 'x'",
    "SELECT id FROM users WHERE age = '7'",
    "SELECT id FROM users WHERE name = 5",
    "SELECT id FROM users WHERE token = 'abc'",
    "SELECT id FROM users WHERE token = '6f9619ff-8b86-d011-b42d-00c04fc964ff'",
    "SELECT id FROM users WHERE score = 'high'",
    "SELECT id FROM users WHERE created_at > '2024-01-01'",
    "SELECT id FROM users WHERE is_active = 'maybe'",
    "SELECT id FROM users WHERE is_active = 'yes'",
    "SELECT meta ->> 'a' FROM users WHERE meta @> '{}'",
    "SELECT id FROM users WHERE tags && ARRAY['a']",
    "SELECT id FROM users WHERE EXISTS (SELECT 1 FROM orders WHERE user_id = users.id)",
    "SELECT id FROM users WHERE EXISTS (SELECT 1 FROM orders WHERE user_id = email_address)",
    "SELECT (SELECT sum(total) FROM orders o WHERE o.user_id = u.id) FROM users u",
    "WITH big AS (SELECT user_id, sum(total) AS s FROM orders GROUP BY user_id) SELECT s FROM big",
    "WITH big AS (SELECT user_id, sum(total) AS s FROM orders GROUP BY user_id) SELECT b.t FROM big b",
    "SELECT s.a FROM (SELECT id AS a FROM users) s",
    "SELECT s.b FROM (SELECT id AS a FROM users) s",
    "SELECT a.id FROM users a LEFT JOIN LATERAL (SELECT o.id FROM orders o WHERE o.user_id = a.id LIMIT 1) l ON true",
    "SELECT id FROM users u JOIN orders o USING (id)",
    "SELECT n FROM generate_series(1, 3) AS n",
    "SELECT v.a FROM (VALUES (1, 'x')) AS v (a, b)",
    "INSERT INTO orders (user_id, total) SELECT id, 5 FROM users WHERE false",
    "INSERT INTO orders (user_id, total) SELECT id FROM users WHERE false",
    "INSERT INTO orders (user_id, total) VALUES (1, 2, 3)",
    "INSERT INTO orders (user_id, amount) VALUES (1, 2)",
    "INSERT INTO users (name) VALUES ('x')",
    "INSERT INTO users (email) VALUES ('a') ON CONFLICT (email) DO UPDATE SET name = excluded.name",
    "UPDATE users SET age = age + 1 WHERE id = 1",
    "UPDATE users SET agee = 1 WHERE id = 1",
    "UPDATE users u SET age = 1 FROM orders o WHERE o.user_id = u.id AND o.total > 5",
    "UPDATE users SET age = 1 WHERE nothing = 1",
    "DELETE FROM orders USING users u WHERE u.id = orders.user_id AND u.age < 0",
    "DELETE FROM orders WHERE amount = 1",
    "SELECT id, FROM users",
    "SELECT id FROM users WHERE (age > 1",
    "SELECT id FROM users WHERE",
    "SELECT id FROM user_s",
    'SELECT "someName" FROM "Mixed"',
    "SELECT row_number() OVER (PARTITION BY user_id ORDER BY placed) FROM orders",
    "SELECT coalesce(name, 'x') || '!' FROM users ORDER BY age DESC NULLS LAST LIMIT 5 OFFSET 2",
    "SELECT extract(epoch FROM created_at), now() - created_at FROM users",
    "SELECT count(*) FILTER (WHERE age > 5) FROM users",
    "SELECT id FROM users FOR UPDATE SKIP LOCKED",
    "SELECT DISTINCT ON (user_id) user_id, placed FROM orders ORDER BY user_id, placed DESC",
    "SELECT ctid, xmin FROM users",
    "SELECT 1 FROM users GROUP BY name HAVING max(agee) > 1",
]


def verdict(database: sqlalchemy.Engine, statement: str) -> str:
    """PostgreSQL's error, "" where it runs."""
    with database.connect() as connection:
        try:
            connection.exec_driver_sql(statement)
        except DBAPIError as error:
            return str(error.orig)
        finally:
            connection.rollback()
    return ""


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    calls = "\n".join(f"    cursor.execute({statement!r})" for statement in STATEMENTS)
    (tmp_path / "schema.sql").write_text(SCHEMA)
    (tmp_path / "app.py").write_text(
        "import psycopg2\n\n\ndef run():\n    cursor = psycopg2.connect('dbname=shop').cursor()\n" + calls + "\n"
    )
    return tmp_path


def test_the_same_statements_fail(database: sqlalchemy.Engine, sample: Path) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql(SCHEMA)
    refused = {statement: error for statement in STATEMENTS if (error := verdict(database, statement))}
    lines = (sample / "app.py").read_text().splitlines()
    found = {lines[item.location.line - 1] for item in contract.scan_sample(sample, "REL312").report.findings}
    told = {statement for statement in STATEMENTS if f"    cursor.execute({statement!r})" in found}
    assert {statement: refused.get(statement) for statement in told - set(refused)} == {}
    assert {statement: refused[statement] for statement in set(refused) - told} == {}
