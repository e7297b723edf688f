"""Rule packs: manifests, loading and selection."""
