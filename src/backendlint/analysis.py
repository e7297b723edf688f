"""The first stages in order: files, their facts, and the linked project that engines and views look at."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backendlint import cache
from backendlint.cache import Cache
from backendlint.config import Config, Settings, load
from backendlint.dependency_files import dependency_files
from backendlint.digests import digests, unreadable
from backendlint.discover import Discovery, discover, with_text
from backendlint.findings.model import Notification
from backendlint.request import Request
from backendlint.watch import Watch

if TYPE_CHECKING:
    from backendlint.facts.model import FileFacts
    from backendlint.project.libraries.lookup import Libraries
    from backendlint.project.model import Project
    from backendlint.sources import Sources


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a scan looks at: settings, files and the hashes of their contents."""

    settings: Settings
    discovery: Discovery
    digests: Mapping[str, str]
    notifications: tuple[Notification, ...]


@dataclass(frozen=True, slots=True)
class Analysis:
    """The project, understood."""

    inputs: Inputs
    files: Mapping[str, FileFacts]
    project: Project
    sources: Sources
    notifications: tuple[Notification, ...]
    """Of all stages so far."""
    stable: bool
    """False where files changed during the scan."""


def settings_of(request: Request) -> Settings:
    """The request's settings, with the options that it overrides."""
    settings = request.settings or load(request.paths)
    return replace(settings, config=replace(settings.config, **request.overrides))


def inputs_of(request: Request) -> Inputs:
    """Stage 1: find the files and hash them."""
    settings = settings_of(request)
    found = discover(settings.root, _existing(request), settings.config, context=request.context)
    if request.stdin is not None:
        path, data = request.stdin
        found = with_text(found, path.resolve().relative_to(settings.root).as_posix(), data)
    known, problems = digests(found.files)
    return Inputs(settings, found, known, (*found.notifications, *problems, *_closed(settings.root)))


def _closed(root: Path) -> Iterator[Notification]:
    """What is said of files that would tell on what the project depends, were they readable."""
    for path in dependency_files(root):
        if not os.access(path, os.R_OK):
            yield unreadable(path.relative_to(root).as_posix(), PermissionError(errno.EACCES, "Permission denied"))


def open_cache(request: Request, settings: Settings) -> Cache:
    """The run's cache, as request and configuration say."""
    if not request.use_cache:
        return Cache.open(None)
    folder, trusted = cache.folder_for(settings.root, settings.config.cache_dir, request.cache_dir)
    return Cache.open(folder, trusted=trusted)


def analyse(inputs: Inputs, store: Cache, watch: Watch) -> Analysis:
    """Stages 2 to 4: parse, read facts, link."""
    from backendlint.facts.collect import collect
    from backendlint.project.libraries.lookup import Libraries
    from backendlint.sources import Sources

    config = inputs.settings.config
    libraries = Libraries.load(library_folders(inputs.settings), cache.user_folder())
    with watch("facts") as tell:
        collected = collect(
            inputs.discovery.files,
            inputs.digests,
            cache=store,
            jobs=config.jobs,
            seconds=config.file_timeout,
            progress=tell,
            leaving=libraries.leaving,
        )
    sources = Sources(inputs.discovery.files)
    with watch("link"):
        project = link_project(inputs.settings, collected.files, sources, libraries)
        project.sql_files = [file.path for file in inputs.discovery.files if file.kind == "sql"]
        project.template_files = [file.path for file in inputs.discovery.files if file.kind == "template"]
    notifications = (*inputs.notifications, *collected.notifications)
    return Analysis(inputs, collected.files, project, sources, notifications, not collected.changed)


def link_project(settings: Settings, files: Mapping[str, FileFacts], sources: Sources, libraries: Libraries) -> Project:
    """Link facts with the library models, the built-in and the project's own (they are data; nothing is run)."""
    from backendlint.project.model import link

    return link(settings.root, files, libraries, sources.read, options_for_rules(settings.config))


def library_folders(settings: Settings) -> list[Path]:
    """The folders of the project's own library models that are there, none of them a link."""
    folders = [settings.root / name for name in settings.config.library_paths]
    return [folder for folder in folders if folder.is_dir() and not folder.is_symlink()]


def options_for_rules(config: Config) -> dict[str, Any]:
    """What rules may ask of the configuration."""
    return {
        "budget": asdict(config.budget),
        "dialect": config.dialect,
        "layers": dict(config.layers),
        "rules": config.rules,
    }


def _existing(request: Request) -> list[Path]:
    """The paths, without that of an unsaved file that is not there yet."""
    if request.stdin is None:
        return list(request.paths)
    return [path for path in request.paths if path.exists() or path.resolve() != request.stdin[0].resolve()]
