"""Resources on disk: the four kinds as YAML, with a sentence for whatever is wrong in a file."""

from pathlib import Path

from pydantic import ValidationError

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.translate.yaml_document import Document, read_documents
from models.accelerator_stock import AcceleratorStock
from models.capacity_profile import CapacityProfile
from models.fault import Fault, closest, faults
from models.found import found
from models.object_meta import API_VERSION
from models.service_level import ServiceLevel
from models.variant_autoscaling import VariantAutoscaling

Resource = ServiceLevel | VariantAutoscaling | CapacityProfile | AcceleratorStock

_KINDS: dict[str, type[Resource]] = {
    "ServiceLevel": ServiceLevel,
    "VariantAutoscaling": VariantAutoscaling,
    "CapacityProfile": CapacityProfile,
    "AcceleratorStock": AcceleratorStock,
}
# a hundred times the largest that we know; a device or a dump ends here instead of filling memory
_MOST_BYTES = 4 * 2**20


def load_resources(path: Path) -> list[Resource]:
    """The resources of a YAML file, in its order.

    Raises: ConfigError: no such file, or one with something wrong; one sentence with its line.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(
            f"{path}: {reason}; name a YAML file of resources that can be read"
        ) from error
    if len(content) > _MOST_BYTES:
        raise ConfigError(
            f"{path}: longer than {_MOST_BYTES >> 20} MiB; name a YAML file of resources"
        )
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{path}:{line}: found the byte {content[error.start]:#04x}, which is no text; write YAML in UTF-8"
        ) from error
    return parse_resources(text, str(path))


def parse_resources(text: str, source: str) -> list[Resource]:
    """The resources of a YAML text, in its order.

    Args:
        text: one or more YAML documents.
        source: what the sentence calls the text, mostly its file.

    Raises: ConfigError: the first thing that is wrong, and how many more there are.
    """
    documents = list(read_documents(text.removeprefix("\ufeff"), source))
    if not documents:
        raise ConfigError(
            f"{source}: empty; write a resource, starting with apiVersion: {API_VERSION}"
        )
    resources: list[Resource] = []
    wrong: list[str] = []
    n_more = 0
    for document in documents:
        read = _read(document)
        if isinstance(read, list):
            first = read[0]
            wrong.append(f"{source}:{document.line_of(first.path)}: {first.text()}")
            n_more += len(read) - 1
        else:
            resources.append(read)
    if wrong:
        n_more += len(wrong) - 1
        raise ConfigError(wrong[0] + (f" (and {n_more} more in this file)" if n_more else ""))
    _refuse_the_same_twice(resources, documents, source)
    return resources


def _read(document: Document) -> Resource | list[Fault]:
    """The resource of a document, or all that is wrong with it."""
    data = document.data
    if not isinstance(data, dict):
        return [
            Fault(
                (),
                f"found {found(data)}; write a resource, starting with apiVersion: {API_VERSION}",
            )
        ]
    kind = _kind(data)
    if isinstance(kind, Fault):
        return [kind]
    try:
        return kind.from_wire(data)
    except ValidationError as error:
        return faults(error, kind, document.text_of)


def _kind(data: dict[str, object]) -> type[Resource] | Fault:
    version, name = data.get("apiVersion"), data.get("kind")
    if name is None:
        return Fault(("kind",), f"missing; {closest('', list(_KINDS))}")
    if not isinstance(name, str) or name not in _KINDS:
        return Fault(("kind",), f"found {found(name)}; {closest(str(name), list(_KINDS))}")
    if version != API_VERSION:
        was = "missing" if version is None else f"found {found(version)}"
        return Fault(("apiVersion",), f"{was}; write {API_VERSION}")
    return _KINDS[name]


def _refuse_the_same_twice(
    resources: list[Resource], documents: list[Document], source: str
) -> None:
    first_lines: dict[tuple[str, str, str], int] = {}
    for resource, document in zip(resources, documents, strict=True):
        name, namespace = resource.metadata.name, resource.metadata.namespace or ""
        line = document.line_of(("metadata", "name"))
        first = first_lines.setdefault((resource.kind, namespace, name), line)
        if first != line:
            raise ConfigError(
                f'{source}:{line}: metadata.name: found a second {resource.kind} "{name}", the first is on line {first}; '
                "give it a name of its own"
            )
