"""What backendlint reports, read from its SARIF."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from bench.accuracy.model import Found

BASE = "%SRCROOT%"
TAG = "external/cwe/cwe-"


def scan_copy(root: Path, select: str, profile: str) -> tuple[list[Found], frozenset[str]]:
    """What `scan` says of a copy of the folder, as if it were a project of its own."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder).resolve() / "project"
        shutil.copytree(root, copy)
        return scan(copy, select, profile)


def scan(root: Path, select: str, profile: str) -> tuple[list[Found], frozenset[str]]:
    """Results below `root` with paths relative to it, and the ids and CWEs of the selected rules."""
    command = [sys.executable, "-m", "backendlint", "scan", str(root), "--select", select, "--profile", profile]
    command += ["--format", "sarif", "--no-cache", "--no-config", "--quiet", "--fail-on", "never"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    log = json.loads(done.stdout)["runs"][0]
    flaws = {rule["id"]: _flaws(rule) for rule in log["tool"]["driver"]["rules"]}
    base = Path(unquote(urlsplit(log["originalUriBaseIds"][BASE]["uri"]).path))
    found = []
    for result in log["results"]:
        place = result["locations"][0]["physicalLocation"]
        region = place["region"]
        last = region.get("endLine", region["startLine"])
        uri = place["artifactLocation"]["uri"]
        also = frozenset(_flow_lines(result, uri))
        path = (base / unquote(uri)).relative_to(root).as_posix()  # the project may begin above the scanned folder
        found.append(Found(path, region["startLine"], last, flaws[result["ruleId"]], also))
    return found, frozenset().union(*flaws.values())


def _flow_lines(result: dict[str, Any], uri: str) -> Iterator[int]:
    for flow in result.get("codeFlows", ()):
        for thread in flow["threadFlows"]:
            for step in thread["locations"]:
                place = step["location"]["physicalLocation"]
                if place["artifactLocation"]["uri"] == uri:
                    yield place["region"]["startLine"]


def _flaws(rule: dict[str, Any]) -> frozenset[str]:
    tags = rule.get("properties", {}).get("tags", [])
    cwes = {f"CWE-{int(tag.removeprefix(TAG))}" for tag in tags if tag.startswith(TAG)}
    return frozenset({rule["id"], *cwes})
