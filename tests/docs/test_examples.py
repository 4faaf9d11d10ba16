"""What a reader may copy from a document: resources are read, commands are parsed, benchmarks are there."""

import argparse
import ast
import contextlib
import importlib
import importlib.util
import io
import re
import shlex
from pathlib import Path

import pytest
import yaml

from adapter import __main__ as adapter_command
from llmd_autoscaler.cli import command_line
from llmd_autoscaler.local.config import load_config
from llmd_autoscaler.translate.yaml_file import parse_resources
from tests.docs.markdown import DOCS, ROOT, Block, blocks, documents

OUR_API = "autoscaling.llmd.ai/"
# Commands of others that an example may name; ours are parsed.
FOREIGN = {"cat", "cd", "curl", "docker", "git", "helm", "kind", "kubectl", "mkdir", "podman"}


@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda block: block.where)
def test_an_example_in_yaml_is_read_as_it_stands(block: Block) -> None:
    ours = []
    for text in re.split(r"^---$", block.text, flags=re.MULTILINE):
        document = yaml.safe_load(text)
        assert isinstance(document, dict)
        if str(document.get("apiVersion", "")).startswith(OUR_API):
            ours.append(text)
    if ours:
        assert len(parse_resources("---\n".join(ours), block.path.name)) == len(ours)


def test_the_model_of_the_quickstart_is_one_that_runs(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", (DOCS / "quickstart.md").read_text(), re.DOTALL)
    (tmp_path / "model.yaml").write_text(example)
    assert load_config(tmp_path).model == "meta-llama/Llama-3.1-8B-Instruct"


def commands() -> list[tuple[str, str]]:
    """(where, line) of every command, each once; a backslash goes on in the next line."""
    found = [
        (str(block.path.relative_to(ROOT)), line.split(" # ")[0].strip())
        for block in blocks("sh")
        for line in block.text.replace("\\\n", " ").splitlines()
        if line.strip() and not line.startswith("#")
    ]
    return list(dict.fromkeys(found))


def refusal(parser: argparse.ArgumentParser, arguments: list[str]) -> str:
    """What a parser says against some arguments; "" where it takes them."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            parser.parse_args(arguments)
        except SystemExit as ended:
            return said.getvalue() if ended.code else ""
    return ""


def complaint(line: str) -> str:
    """What is wrong with a command line; "" where nothing is."""
    words = [word for word in shlex.split(line) if word != "&"]
    match [words[0].removeprefix(".venv/bin/"), *words[1:]]:
        case ["make", *rest]:
            return of_make(rest)
        case ["llmd-autoscaler", *arguments]:
            return refusal(command_line._parsers()[0], arguments)
        case ["llmd-adapter", *arguments]:
            return refusal(adapter_command._parser(), arguments)
        case ["python", "-m", module, *_]:
            return "" if importlib.util.find_spec(module) else f"no module {module}"
        case [word, *_]:
            return "" if word in FOREIGN else f"{word} is no command of ours"


def of_make(words: list[str]) -> str:
    """What is wrong with a target and its ARGS."""
    targets = [word for word in words if "=" not in word]
    known = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    given = [word.removeprefix("ARGS=") for word in words if word.startswith("ARGS=")]
    if not set(targets) <= set(known):
        return f"make has no target {targets}"
    return refusal(command_line._parsers()[0], ["local", *shlex.split(" ".join(given))])


@pytest.mark.parametrize(("where", "line"), commands())
def test_a_command_of_a_document_is_one_that_we_take(where: str, line: str) -> None:
    assert complaint(line) == "", where


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.where)
def test_a_program_of_a_document_imports_what_there_is(block: Block) -> None:
    asked = {
        (node.module or "", alias.name)
        for node in ast.walk(ast.parse(block.text))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    absent = [pair for pair in asked if not hasattr(importlib.import_module(pair[0]), pair[1])]
    assert absent == []


def test_every_benchmark_that_a_document_names_exists() -> None:
    text = "".join(path.read_text() for path in documents())
    found = set(re.findall(r"python -m (benchmarks\.[a-z_]+)\b", text))
    assert len(found) >= 4
    assert [name for name in found if importlib.util.find_spec(name) is None] == []
