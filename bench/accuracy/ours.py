"""What backendlint reports, read from its SARIF."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.accuracy.model import Found

TAG = "external/cwe/cwe-"


def scan(root: Path, profile: str) -> tuple[list[Found], frozenset[int]]:
    """Results below `root` with paths relative to it, and all CWEs that our security rules know."""
    command = [sys.executable, "-m", "backendlint", "scan", str(root), "--select", "SEC", "--profile", profile]
    command += ["--format", "sarif", "--no-cache", "--no-config", "--quiet", "--fail-on", "never"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    log = json.loads(done.stdout)["runs"][0]
    tags = {rule["id"]: _numbers(rule) for rule in log["tool"]["driver"]["rules"]}
    found = []
    for result in log["results"]:
        place = result["locations"][0]["physicalLocation"]
        region = place["region"]
        last = region.get("endLine", region["startLine"])
        uri = place["artifactLocation"]["uri"]
        also = frozenset(_flow_lines(result, uri))
        found.append(Found(uri, region["startLine"], last, tags[result["ruleId"]], result["ruleId"], also))
    return found, frozenset().union(*tags.values())


def _flow_lines(result: dict[str, Any], uri: str) -> Iterator[int]:
    for flow in result.get("codeFlows", ()):
        for thread in flow["threadFlows"]:
            for step in thread["locations"]:
                place = step["location"]["physicalLocation"]
                if place["artifactLocation"]["uri"] == uri:
                    yield place["region"]["startLine"]


def _numbers(rule: dict[str, dict[str, list[str]]]) -> frozenset[int]:
    tags = rule.get("properties", {}).get("tags", [])
    return frozenset(int(tag.removeprefix(TAG)) for tag in tags if tag.startswith(TAG))
