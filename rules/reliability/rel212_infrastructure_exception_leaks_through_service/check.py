"""REL212: a service lets out what its libraries raise, where the project's services wrap it."""

from __future__ import annotations

from collections.abc import Iterator

from backendlint.api import Hit, Project, Unwrapped

LAYERS = ("service", "client")
SHOWN = 10


def check(project: Project) -> Iterator[Hit]:
    """One hit a function that is not like its siblings; what a client lets out is told where services let it through."""
    for layer in LAYERS:
        for leak in project.error_paths.unwrapped(layer):
            yield _hit(project, layer, leak)


def _hit(project: Project, layer: str, leak: Unwrapped) -> Hit:
    short, library = leak.name.rpartition(".")[2], leak.name.partition(".")[0]
    through = project.error_paths.let_through(leak) if layer == "client" else []
    own = leak.fn.step(leak.escape.span, f"lets `{short}` out")
    wraps = leak.sibling.step(leak.sibling.facts.header, "wraps it")
    if through:
        first, *others = sorted(through, key=lambda edge: (edge.caller.path, edge.span))
        place, owner = first.caller.location(first.span), first.caller
        what = f"`{owner.name}()` of the service layer lets `{short}` of {library} out, which comes from `{leak.fn.name}()`"
        related = (own, wraps, *(edge.caller.step(edge.span, "and so does this") for edge in others[:SHOWN]))
    else:
        place, owner = own.location, leak.fn
        what = f"`{owner.name}()` of the {layer} layer lets `{short}` of {library} out"
        related = (wraps,)
    return Hit(
        f"{what}, while `{leak.sibling.name}()` turns such failures into a domain exception: callers have to know the library; wrap it "
        f"{'there' if through else 'here'} too.",
        place,
        related=related,
        function=owner.fqn,
        profile=None if leak.near and library != "builtins" else "strict",
    )
