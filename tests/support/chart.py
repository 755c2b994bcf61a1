"""The Helm chart, rendered, and Kubernetes' own schemas to hold the renderings against."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

CHART = Path(__file__).resolve().parents[2] / "deploy" / "helm" / "genesys-streams"

# The oldest release that the chart allows, the one that Helm knows, and the newest with a schema.
RELEASES = ("1.30", "1.34", "1.37")

RELEASE, NAMESPACE = "r", "calls"

# A rendering takes a fraction of a second.
RENDER_SECONDS = 60.0

Values = Mapping[str, Any]
Document = dict[str, Any]


class Refused(Exception):
    """Helm would not render the chart with these values; the message is Helm's."""


class Chart:
    """The chart as one Helm renders it. ``least``: the values that have to be set."""

    def __init__(self, helm: Path) -> None:
        self._helm = helm
        self._rendered: dict[str, str] = {}
        self.least: Document = yaml.safe_load((CHART / "ci" / "least-values.yaml").read_text())

    def render(self, *values: Values) -> list[Document]:
        """The documents for the least values with ``values`` laid over them in order. Raises
        Refused."""
        given = json.dumps(overlaid(self.least, *values), sort_keys=True)
        if given not in self._rendered:
            options = ("--namespace", NAMESPACE, "--kube-version", RELEASES[1], "--values", "-")
            self._rendered[given] = self._run("template", RELEASE, CHART, *options, stdin=given)
        return list(yaml.load_all(self._rendered[given], Loader=yaml.CSafeLoader))

    def lint(self, *values: Values) -> str:
        """What `helm lint --strict` prints. Raises Refused."""
        return self._run(
            "lint", "--strict", CHART, "--values", "-", stdin=json.dumps(overlaid({}, *values))
        )

    def _run(self, *arguments: str | Path, stdin: str) -> str:
        done = subprocess.run(
            [self._helm, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=RENDER_SECONDS,
        )
        if done.returncode != 0:
            raise Refused(done.stderr + done.stdout)
        return done.stdout


def overlaid(*values: Values) -> Document:
    """These values laid over one another as Helm does it: maps are merged, all else is replaced."""
    result: Document = {}
    for layer in values:
        for name, value in layer.items():
            below = result.get(name)
            both = isinstance(below, dict) and isinstance(value, Mapping)
            result[name] = overlaid(below or {}, value) if both else value
    return result


def one(documents: Sequence[Document], kind: str, name: str = "") -> Document:
    """The document of that kind whose name ends in ``name``."""
    (found,) = [
        each
        for each in documents
        if each["kind"] == kind and each["metadata"]["name"].endswith(name)
    ]
    return found


def pod_specs(documents: Sequence[Document]) -> Iterator[Document]:
    """The specs of all pods that these documents make."""
    for document in documents:
        template = document.get("spec", {}).get("template")
        if isinstance(template, dict) and "spec" in template:
            yield template["spec"]


def containers(documents: Sequence[Document]) -> Iterator[Document]:
    for spec in pod_specs(documents):
        yield from spec["containers"]


def complaints(document: Document, release: str) -> list[str]:
    """What Kubernetes of that release would have against a document: fields that it does not know
    among them. Raises FileNotFoundError for a kind that is not its own."""
    return [
        f"{document['kind']} {'.'.join(map(str, error.absolute_path))}: {error.message}"
        for error in _validator(document["apiVersion"], document["kind"], release).iter_errors(
            document
        )
    ]


@cache
def _validator(api_version: str, kind: str, release: str) -> Draft202012Validator:
    group, _, version = api_version.rpartition("/")
    name = "-".join(part for part in (kind.lower(), group.partition(".")[0], version) if part)
    return Draft202012Validator(_schema(f"{name}.json", release), registry=_definitions(release))


@cache
def _definitions(release: str) -> Registry[Any]:
    schema = _schema("_definitions.json", release)
    registry: Registry[Any] = Registry().with_resource(
        "/api/_definitions.json", Resource.from_contents(schema)
    )
    return registry


def _schema(name: str, release: str) -> Any:
    """A schema of the package kubernetes-validate, in which unknown fields are refused."""
    folder = files("kubernetes_validate") / "kubernetes-json-schema" / f"v{release}.0-local-strict"
    return json.loads((folder / name).read_text())
