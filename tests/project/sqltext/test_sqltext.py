"""SQL texts: found where they are built, told from prose, and mapped back to their characters."""

from __future__ import annotations

from pathlib import Path

import pytest

from backendlint.facts.extract import extract
from backendlint.facts.model import Span
from backendlint.parse import parse
from backendlint.project.libraries.compile import compile_files
from backendlint.project.libraries.lookup import Libraries
from backendlint.project.model import Project, link
from backendlint.project.sqltext.detect import is_statement, may_be_sql
from backendlint.project.sqltext.find import SqlText
from backendlint.project.sqltext.literals import characters
from backendlint.project.sqltext.statements import Parser, parseable
from backendlint.project.values.sqllex import blank_psql, statements, tokens, writes_with

BARE = Libraries(compile_files([]), "none")


def project_of(**files: str) -> Project:
    """A project of files named by their modules, without library models."""
    sources = {f"{name}.py": text for name, text in files.items()}
    trees = {path: parse(text.encode(), path).tree for path, text in sources.items()}
    facts = {
        path: extract(tree, sources[path], path=path, module=path.removesuffix(".py"), is_package=False)
        for path, tree in trees.items()
        if tree is not None
    }
    return link(Path(), facts, BARE, lambda path: sources[path])


def texts_in(code: str, **more: str) -> list[SqlText]:
    return project_of(main=code, **more).data.texts


def words_at(code: str, text: SqlText, word: str) -> str:
    """What stands in the source where the text says that the word stands."""
    at = text.text.index(word)
    place = text.location(at, at + len(word))
    assert place.line == place.end_line
    return code.split("\n")[place.line - 1][place.column - 1 : place.end_column - 1]


@pytest.mark.parametrize(
    "body",
    [
        'cur.execute("SELECT a FROM spot WHERE b = 1")',
        "cur.execute('SELECT a '\n        'FROM spot '  # why\n        'WHERE b = 1')",
        'cur.execute("""\n    SELECT a\n    FROM spot\n    WHERE b = 1\n""")',
        'cur.execute("SELECT \\"a\\"\\tFROM spot\\n WHERE b = 1")',
        "cur.execute(r\"SELECT a FROM spot WHERE b ~ '\\d'\")",
        "cur.execute(f\"SELECT {x} FROM spot WHERE b = '{y!r:>{w}}' AND c = 1\")",
        'type Name = str\ncur.execute(f"SELECT {x} FROM spot WHERE b = {y}")',
        'type Name = str\ncur.execute(f"SELECT {x} FROM "  # where\n    f"spot WHERE b = {{}}{y}")',
        'cur.execute("SELECT %s FROM spot WHERE b = %%s" % x)',
        'cur.execute("SELECT {} FROM spot WHERE b = {{}}".format(x))',
        'cur.execute("SELECT " + x + " FROM spot WHERE b = 1")',
        'sql = "SELECT a "\nif x:\n    sql += "FROM spot "\nelse:\n    sql += "FROM spot, other "\ncur.execute(sql + "WHERE b = 1")',
        'cur.execute(" ".join(["SELECT a", "FROM spot", "WHERE b = 1"]))',
        'parts = ["SELECT a"]\nparts.append("FROM spot")\nif x:\n    parts.append("WHERE b = 1")\ncur.execute(" ".join(parts))',
        'import textwrap\ncur.execute(textwrap.dedent("""\\\n    SELECT a\n    FROM spot"""))',
        'q = "SELECT a FROM spot WHERE b = 1"\ndef f():\n    cur.execute(q)',
        'class Q:\n    find = "SELECT a FROM spot WHERE b = 1"\ndef f():\n    cur.execute(Q.find)',
        'Q = "SELECT {} FROM spot WHERE b = 1"\ndef f():\n    cur.execute(Q.format(x))',
        'def sql():\n    return "SELECT a FROM spot WHERE b = 1"\ndef f():\n    cur.execute(sql())',
        'é = "ü"; cur.execute("SELECT ä FROM spot WHERE b = 1")',
    ],
)
def test_every_way_of_building_is_found_and_mapped(body: str) -> None:
    code = f"x = y = w = cur = open('x')\n{body}\n"
    found = [text for text in texts_in(code) if "spot" in text.text]
    assert found
    for text in found:
        assert words_at(code, text, "spot") == "spot"


def test_constants_come_from_other_files() -> None:
    queries = 'TABLE = "spot"\nFIND = f"SELECT a FROM {TABLE} WHERE b = 1"\n'
    code = "from queries import FIND\ndef f(cur):\n    cur.execute(FIND)\n"
    (text,) = texts_in(code, queries=queries)
    assert text.text == "SELECT a FROM spot WHERE b = 1"
    assert text.location(7, 8).path == "queries.py"


def test_holes_are_typed_by_where_they_stand() -> None:
    code = (
        "def f(cur, a):\n"
        "    cur.execute(f\"SELECT {a} FROM users_{a} WHERE b = '{a}' AND c IN ({a}) {a} ORDER BY d {a} LIMIT {a}\")\n"
    )
    (text,) = texts_in(code)
    assert [hole.kind for hole in text.holes] == ["name", "name", "text", "name", "fragment", "fragment", "name"]
    assert text.fragments


def test_branches_give_alternatives() -> None:
    code = 'def f(cur, x):\n    q = "SELECT a FROM t"\n    if x:\n        q += " WHERE b = 1"\n    cur.execute(q)\n'
    assert {text.text for text in texts_in(code)} == {"SELECT a FROM t", "SELECT a FROM t WHERE b = 1"}


@pytest.mark.parametrize(
    "prose",
    [
        "select a file from the list",
        "Select a file from the list",
        "Update the record",
        "update your profile set in the menu",
        "Delete from the list",
        "delete from favourites failed",
        "SELECT failed for the user",
        "DELETE FROM table failed with an error",
        "Create table view",
        "insert into the box",
        "with love from me",
        "drop table of contents before printing the whole document again today",
        "Grant access to the user",
        "Select the option (from 1 to 5) that you like.",
        "UPDATE: settings were changed",
        "alter the table of results",
        "select one from many = good",
        "Truncate table cells that are too long to be shown in one line of the report",
    ],
)
def test_prose_is_not_sql(prose: str) -> None:
    assert not (may_be_sql(prose) and is_statement(prose))


@pytest.mark.parametrize(
    "sql",
    [
        "select * from users",
        "SELECT id, name FROM users",
        "select u.id from users u where u.name = ?",
        "SELECT count(*) FROM t",
        "WITH x AS (SELECT 1) SELECT a FROM x",
        "INSERT INTO t (a) VALUES (1)",
        "insert into t values (?, ?)",
        "UPDATE t SET a = 1",
        "DELETE FROM t",
        "DELETE FROM s.t WHERE a = 1",
        "create table if not exists t (a int primary key)",
        "ALTER TABLE t ADD COLUMN a int",
        "DROP TABLE IF EXISTS t",
        "-- note\nSELECT a FROM t",
        "(SELECT a FROM t) UNION (SELECT b FROM u)",
        "GRANT SELECT ON t TO r",
    ],
)
def test_statements_are_sql(sql: str) -> None:
    assert may_be_sql(sql)
    assert is_statement(sql)


def test_messages_and_docstrings_are_not_executed() -> None:
    code = (
        'def f(log):\n    """SELECT a FROM t WHERE b = 1"""\n    log.info("SELECT a FROM t WHERE b = 2")\n'
        '    raise ValueError("SELECT a FROM t WHERE b = 3")\n'
    )
    assert texts_in(code) == []


def test_literals_are_decoded_with_places() -> None:
    source = "x = ('a\\n'  # no\n     f'b{y}{{c' r'\\d')\n"
    found = characters(source, Span(1, 4, 2, 21))
    assert "".join(char.text or "#" for char in found) == "a\nb#{c\\d"
    assert (found[2].line, found[2].column) == (2, 7)


def test_statements_are_cut_outside_of_bodies() -> None:
    text = "CREATE TRIGGER t BEFORE UPDATE ON a BEGIN UPDATE b SET c = 1; SELECT 2; END; SELECT ';' /* ; */; DO $x$ a; b $x$;"
    assert [items[0].text for items in statements(text, "sqlite")] == ["CREATE", "SELECT", "DO"]


def test_psql_sends_a_statement_by_a_command() -> None:
    text = "\\c harbour\nSELECT 'CREATE ROLE bosun' WHERE 1 = 1\\gexec\nSELECT 2 \\gset tide_\nSELECT '\\g' AS c;\n"
    blank = blank_psql(text)
    assert len(blank) == len(text)
    assert [items[0].text for items in statements(blank, "postgres")] == ["SELECT", "SELECT", "SELECT"]
    assert "gexec" not in blank and "tide_" not in blank and "\\g'" in blank


def test_psql_dumps_keep_their_offsets() -> None:
    text = "\\connect x\nCOPY t (a) FROM stdin;\n1\tDROP TABLE t;\n\\.\nSELECT 1;\n"
    blank = blank_psql(text)
    assert len(blank) == len(text)
    assert [items[0].text for items in statements(blank, "postgres")] == ["COPY", "SELECT"]


def test_composed_sql_is_one_statement() -> None:
    code = (
        "from psycopg import sql\n"
        "def f(cur, table):\n"
        '    query = sql.SQL("SELECT a FROM {} WHERE b = %s").format(sql.Identifier(table))\n'
        "    cur.execute(query, (1,))\n"
    )
    (text,) = texts_in(code)
    assert text.text == "SELECT a FROM hole_0_ WHERE b = %s"
    assert text.role == "execute"


def test_helpers_hand_their_parameters_on() -> None:
    code = (
        "class Store:\n"
        "    def _run(self, query, values=None):\n        self.cursor.execute(query, values)\n"
        "    def one(self, query):\n        return self._run(query)[0]\n"
        "    def user(self):\n        return self.one('SELECT a FROM spot')\n"
        "    def told(self):\n        return self.note('SELECT b FROM spot')\n"
        "    def note(self, text):\n        print(text)\n"
    )
    found = {text.text: text for text in texts_in(code)}
    helped = found["SELECT a FROM spot"]
    assert helped.role == "execute"
    assert helped.sink is not None and helped.sink.line == 3
    assert found["SELECT b FROM spot"].role == "constant"


def test_a_driver_in_the_file_says_its_dialect() -> None:
    other = "import psycopg2\nimport asyncpg\ndef f(cur):\n    cur.execute('SELECT b FROM t')\n"
    texts = texts_in("import MySQLdb\ndef f(cur):\n    cur.execute('SELECT a FROM t')\n", other=other)
    assert {text.text[7]: text.dialect for text in texts} == {"a": "mysql", "b": "postgres"}


@pytest.mark.parametrize(
    "body",
    [
        "'DROP FUNCTION IF EXISTS s.tidy(value text, kinds text[])'",
        'f"UPDATE t SET a = CASE t.kind {x} END WHERE b = 1"',
        "f'UPDATE t SET a = CASE {x} END'",
        "'SELECT a FROM t LIMIT 1 FORMAT JSON'",
        "'UPDATE OR IGNORE t SET a = 1 WHERE a IS NULL'",
    ],
)
def test_what_sqlglot_reads_in_part_only_is_spelt_for_it(body: str) -> None:
    (statement,) = project_of(main=f"def f(cur, x):\n    cur.execute({body})\n").data.statements
    assert statement.parsed.tree is not None


@pytest.mark.parametrize("text", ["KILL hole_0_", "KILL QUERY hole_0_"])
def test_a_killed_connection_is_a_number(text: str) -> None:
    assert Parser().parse(parseable(text, list(tokens(text))), "mysql").tree is not None


def test_an_elided_statement_is_for_readers() -> None:
    assert not is_statement("SELECT ... FROM orders WHERE id = 1")


def test_a_statement_that_many_branches_add_to_is_read_to_its_end() -> None:
    added = "".join(f"    if 'c{n}' in d:\n        sql += 'c{n} = 1, '\n" for n in range(20))
    code = f"def f(cur, d):\n    sql = 'UPDATE t SET '\n{added}    sql += 'z = 1 WHERE id = 2'\n    cur.execute(sql)\n"
    texts = [item.text for item in texts_in(code) if item.text.startswith("UPDATE")]
    assert texts and all(text.endswith("z = 1 WHERE id = 2") for text in texts)


def test_the_database_whose_own_types_the_tables_use_is_the_projects() -> None:
    own = {f"m{n}": "from sqlalchemy.dialects import postgresql\n" for n in range(6)}
    connectors = {f"c{n}": "URL = 'mysql+pymysql://reader@shop/db'\n" for n in range(8)}
    assert project_of(**own, **connectors).data.dialect == "postgres"
    assert project_of(m0=own["m0"], **connectors).data.dialect == "mysql"


@pytest.mark.parametrize(
    ("text", "writes"),
    [
        ("WITH r AS (SELECT 1) UPDATE m SET n = r.n FROM r", True),
        ("WITH old AS (DELETE FROM m RETURNING id) SELECT count(*) FROM old", True),
        ("-- why\nWITH r AS MATERIALIZED (SELECT 1), s(n) AS (SELECT 2) INSERT INTO m SELECT * FROM s", True),
        ("WITH r AS (SELECT 1) SELECT replace(a, 'x', 'y') FROM m FOR UPDATE", False),
        ("SELECT 1", False),
        ("", False),
    ],
)
def test_statements_with_parts_may_write(text: str, writes: bool) -> None:
    assert writes_with(text) is writes
