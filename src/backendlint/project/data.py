"""What is known of the project's database: SQL texts, schemas and migrations. Computed when first asked for."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from backendlint.project.schema.links import ModuleLinks
from backendlint.project.schema.model import Schema
from backendlint.project.schema.sqlalchemy_models import read_sqlalchemy
from backendlint.project.sqltext.find import SqlText, sql_texts

if TYPE_CHECKING:
    from backendlint.project.model import Project


class Data:
    """The database side of a project; owned by the Project."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.links = ModuleLinks(project.modules, project.sources)

    @cached_property
    def texts(self) -> list[SqlText]:
        """All SQL texts."""
        return sql_texts(self._project, self._project.sql_files)

    @cached_property
    def dialect(self) -> str:
        """sqlglot's name of the project's dialect, or ""."""
        from backendlint.project.sqltext.dialects import project_dialect

        return project_dialect(self._project)

    @cached_property
    def schema(self) -> Schema:
        """The tables as the code believes them to be: models first, then migrations and DDL for what no model defines."""
        return read_sqlalchemy(self._project.files.values(), self.links)
