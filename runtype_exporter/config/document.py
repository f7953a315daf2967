"""Parse YAML text to plain data and keep the line of every value.

Only a part of YAML is supported: mappings with text keys, lists, text, numbers, true/false and
null. Anchors work; tags and duplicate keys are errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

KeyPath = tuple[str | int, ...]
"""The place of a value: keys and indices from the top."""

MOST_VALUES: Final = 100_000
"""The most values that a file may have, aliases expanded. A few lines of aliases of aliases would
otherwise fill the memory."""

_TAG: Final = "tag:yaml.org,2002:"
_CONSTRUCTED: Final = frozenset(f"{_TAG}{name}" for name in ("null", "bool", "int", "float"))
_PLAIN: Final = frozenset(
    f"{_TAG}{name}" for name in ("str", "timestamp", "merge", "value", "map", "seq")
)


@dataclass(frozen=True, slots=True)
class DocumentFault:
    """An error at a line, and the value that it is about."""

    line: int
    path: KeyPath
    message: str


@dataclass(slots=True)
class Document:
    """The data (lists as tuples), the line of each value, and the errors in the text."""

    data: Any = None
    faults: list[DocumentFault] = field(default_factory=list)
    lines: dict[KeyPath, int] = field(default_factory=dict)
    values: int = 0

    def line(self, path: KeyPath) -> int:
        """Return the line of a value, or of its parent if the value is missing."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def parse(text: str) -> Document:
    """Read YAML text. Errors are in the document's `faults`."""
    document = Document()
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is not None:
            document.data = _value(node, (), loader, document)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        document.faults.append(DocumentFault(mark.line + 1 if mark else 1, (), _syntax(error)))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        document.faults.append(
            DocumentFault(line, (), "has a character that YAML does not allow; remove it")
        )
    except _TooMuch as error:
        path = _before_alias(error.path, document)
        message = (
            f"comes to more than {MOST_VALUES} values:"
            " aliases (*name) of aliases multiply; write out what they stand for"
        )
        document.faults.append(DocumentFault(document.line(path), path, message))
    except RecursionError:
        document.faults.append(
            DocumentFault(1, (), "is nested too deeply, or an alias stands inside its own anchor")
        )
    return document


class _TooMuch(Exception):  # noqa: N818  # a fault of the file, reported as one
    """The document has more than `MOST_VALUES` values."""

    def __init__(self, path: KeyPath) -> None:
        self.path = path


def _before_alias(path: KeyPath, document: Document) -> KeyPath:
    """Return the path of what holds the first alias on the way to a value.

    An alias refers to a line further up. Without an alias, return the top key.
    """
    lines = [document.line(path[:length]) for length in range(len(path) + 1)]
    back = (length for length in range(1, len(path)) if lines[length + 1] < lines[length])
    return path[: next(back, 1)]


def _syntax(error: yaml.MarkedYAMLError) -> str:
    if "alias" in f"{error.context} {error.problem}":
        return "is not valid YAML: text that begins with * must stand in quotes"
    said = ", ".join(part for part in (error.context, error.problem) if part)
    return f"is not valid YAML: {said}; check colons, quotes and indentation here and above"


def _value(node: yaml.Node, path: KeyPath, loader: yaml.SafeLoader, document: Document) -> Any:
    line = document.lines.setdefault(path, node.start_mark.line + 1)
    document.values += 1
    if document.values > MOST_VALUES:
        raise _TooMuch(path)
    if node.tag not in _CONSTRUCTED | _PLAIN:
        document.faults.append(
            DocumentFault(
                line, path, "YAML tags are not used here; remove the word that begins with !"
            )
        )
    elif isinstance(node, yaml.MappingNode):
        return dict(_entries(node, path, loader, document))
    elif isinstance(node, yaml.SequenceNode):
        return tuple(
            _value(item, (*path, index), loader, document) for index, item in enumerate(node.value)
        )
    elif node.tag in _CONSTRUCTED:
        try:
            return loader.construct_object(node)
        # For example `!!bool` of some word, or an integer of thousands of digits.
        except (ValueError, LookupError):
            document.faults.append(
                DocumentFault(line, path, f"is no valid {node.tag.removeprefix(_TAG)}")
            )
    else:
        return node.value
    return None


def _entries(
    node: yaml.MappingNode, path: KeyPath, loader: yaml.SafeLoader, document: Document
) -> Iterator[tuple[str, Any]]:
    seen: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            document.faults.append(DocumentFault(line, path, "has a key that is no text"))
            continue
        # As it is written: `no` and `1` are words here.
        key = str(key_node.value)
        if key in seen:
            message = f"key {key!r} stands twice (first in line {seen[key]}); remove one"
            document.faults.append(DocumentFault(line, path, message))
            continue
        seen[key] = document.lines[(*path, key)] = line
        yield key, _value(value_node, (*path, key), loader, document)
