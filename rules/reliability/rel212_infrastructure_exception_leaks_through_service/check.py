"""REL212: a service lets out what its libraries raise, where the project's services wrap it."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Fn, Hit, Project

LAYERS = ("service", "client")


def check(project: Project) -> Iterator[Hit]:
    """One hit a function that is not like its siblings."""
    for layer in LAYERS:
        for leak in project.error_paths.unwrapped(layer):
            short = leak.name.rpartition(".")[2]
            library = leak.name.partition(".")[0]
            yield Hit(
                f"`{leak.fn.name}()` of the {layer} layer lets `{short}` of {library} out, while `{leak.sibling.name}()` turns such "
                "failures into a domain exception: callers have to know the library; wrap it here too.",
                leak.fn.location(leak.escape.span),
                related=(leak.sibling.step(leak.sibling.facts.header, "wraps it"),),
                function=leak.fn.fqn,
                profile=None if _is_near(project, leak.fn, leak.sibling) and library != "builtins" else "strict",
            )


def _is_near(project: Project, fn: Fn, sibling: Fn) -> bool:
    """Whether the sibling is in the same file, or the function's class has it by inheritance."""
    return sibling.path == fn.path or (fn.cls is not None and project.method(fn.cls, sibling.name) is sibling)
