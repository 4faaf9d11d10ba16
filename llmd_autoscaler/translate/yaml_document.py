"""YAML text as JSON data that remembers on which line each field was written, and how.

PyYAML's own way to Python values loses the lines, takes a key that stands twice without a word, and
makes an object of an unquoted time. So its nodes are read here, with the few types that JSON has.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import yaml
from yaml.constructor import SafeConstructor
from yaml.error import MarkedYAMLError, YAMLError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

from llmd_autoscaler.errors import ConfigError
from models.fault import Path, field_path
from models.found import found

_TAG = "tag:yaml.org,2002:"
# a time and "=" have types of their own in YAML; on the wire both are text
_TEXT_TAGS = {f"{_TAG}str", f"{_TAG}timestamp", f"{_TAG}value"}
# deeper than any resource, and shallow enough that no reader runs out of stack
_DEEPEST = 64
_TOO_DEEP = f"nested deeper than {_DEEPEST} levels; no resource is"


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file: JSON data, and the line and the spelling of each field."""

    data: object
    line: int
    lines: dict[Path, int]
    texts: dict[Path, str]

    def line_of(self, path: Path) -> int:
        """The line of a field; where it is absent, of the nearest thing that should hold it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, self.line)

    def text_of(self, path: Path) -> str:
        """A scalar as it was written, less its quotes; "" where none stands."""
        return self.texts.get(path, "")


def read_documents(text: str, source: str) -> Iterator[Document]:
    """The documents of a YAML text, one after the other; empty ones are left out.

    Raises: ConfigError: no YAML, or YAML that says more than JSON can.
    """
    try:
        for node in yaml.compose_all(text, Loader=yaml.SafeLoader):
            if node.tag != f"{_TAG}null":
                yield _Reading(source).document(node)
    except RecursionError as error:
        raise ConfigError(f"{source}: {_TOO_DEEP}") from error
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            f"{source}:{line}: found the character {error.character:#x}; write plain text in UTF-8"
        ) from error
    except YAMLError as error:
        raise ConfigError(_syntax_sentence(error, text, source)) from error


def _syntax_sentence(error: YAMLError, text: str, source: str) -> str:
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    if not isinstance(error, MarkedYAMLError) or mark is None:
        return f"{source}: not YAML: {error}"
    lines = text.splitlines()
    here = lines[mark.line] if mark.line < len(lines) else ""
    if here.lstrip(" ").startswith("\t"):
        return f"{source}:{mark.line + 1}: found a tab; indent with spaces"
    return f"{source}:{mark.line + 1}: not YAML: {error.problem}; look at the indentation, colons and quotes here"


class _Reading:
    """The walk over the nodes of one document."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._lines: dict[Path, int] = {}
        self._texts: dict[Path, str] = {}
        self._seen: set[int] = set()
        self._constructor = SafeConstructor()

    def document(self, root: Node) -> Document:
        """The document of a root node."""
        data = self._value(root, ())
        return Document(data, _line(root), self._lines, self._texts)

    def _value(self, node: Node, path: Path) -> object:
        self._lines.setdefault(path, _line(node))
        if id(node) in self._seen:
            # an alias: the same node again. Expanded, a few lines of them can fill any memory.
            raise self._refused(path, "found an alias (*); write the value out here")
        self._seen.add(id(node))
        if len(path) > _DEEPEST:
            raise self._refused(path[:1], _TOO_DEEP)
        match node:
            case MappingNode():
                return self._mapping(node, path)
            case SequenceNode():
                return [self._value(item, (*path, index)) for index, item in enumerate(node.value)]
            case ScalarNode():
                return self._scalar(node, path)
            case _:
                raise self._refused(path, "found a node of no known kind; write plain YAML")

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, object]:
        data: dict[str, object] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                raise self._refused(
                    path, f"found a key that is no text on line {_line(key)}; write field names"
                )
            name = str(key.value)
            here = (*path, name)
            if key.tag == f"{_TAG}merge":
                raise self._refused(path, "found a merge key (<<); write the fields out here")
            if name in data:
                first = self._lines[here]
                self._lines[here] = _line(key)
                raise self._refused(
                    here, f"found a second time, the first is on line {first}; leave one"
                )
            self._lines[here] = _line(key)
            data[name] = self._value(value, here)
        return data

    def _scalar(self, node: ScalarNode, path: Path) -> object:
        text = str(node.value)
        self._texts[path] = text
        if node.tag in _TEXT_TAGS:
            return text
        if node.tag == f"{_TAG}null":
            return None
        try:
            return self._number_or_bool(node)
        except ValueError as error:
            raise self._refused(
                path, f"found {found(text)}, which YAML cannot read as a number; write it in quotes"
            ) from error
        except KeyError as error:
            tag = node.tag.removeprefix(_TAG)
            raise self._refused(
                path, f"found a value tagged {tag!r}; write it without a tag"
            ) from error

    def _number_or_bool(self, node: ScalarNode) -> object:
        read = {
            f"{_TAG}bool": self._constructor.construct_yaml_bool,
            f"{_TAG}int": self._constructor.construct_yaml_int,
            f"{_TAG}float": self._constructor.construct_yaml_float,
        }
        return read[node.tag](node)

    def _refused(self, path: Path, sentence: str) -> ConfigError:
        field = f" {field_path(path)}:" if path else ""
        return ConfigError(f"{self._source}:{self._lines.get(path, 1)}:{field} {sentence}")


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1
