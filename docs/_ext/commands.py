"""The command line: every stage with its options, as its parser is told of them."""

from typing import Any

from breakeven.commands import _add_arguments
from breakeven.publish.markdown import code, plain, table
from breakeven.stages import STAGE, STAGES, Stage

# what the workflow tells each stage that writes something; told once
COMMON = ("--key", "--code", "--read", "--cost")
HEADS = ("argument", "", "what it is")
WORDS = {"--device": "where it runs"}  # of what says no more than its name


class Arguments:
    """Stands for a parser, and keeps what it is told: the name of each argument, and what is said of it."""

    def __init__(self, stage: Stage):
        self.usage = ""
        self.told: dict[str, dict[str, Any]] = {}
        _add_arguments(self, stage)

    def add_argument(self, name: str, **said: Any) -> None:
        """One more argument."""
        self.told[name] = said


def text() -> str:
    """The stages, in the order in which data flow."""
    common = [_row(name, said) for name, said in Arguments(STAGE["prepare"]).told.items() if name in COMMON]
    last = f"## Of every stage that writes something\n\n{table(HEADS, common)}"
    return "\n\n".join([*map(_stage, STAGES), last])


def _stage(stage: Stage) -> str:
    rows = [_row(name, said) for name, said in Arguments(stage).told.items() if name not in COMMON]
    if stage.hands_on:
        rows.append((code("..."), "", f"options of {stage.hands_on}, which are handed on"))
    return "\n\n".join([f"## `{stage.name}`", plain(stage.words), table(HEADS, rows)])


def _row(name: str, said: dict[str, Any]) -> tuple[str, str, str]:
    choices = f" {{{','.join(said['choices'])}}}" if "choices" in said else ""
    words = said.get("help", "").replace("%%", "%") or WORDS.get(name, "")
    return code(name + choices), "required" if said.get("required") else "", plain(words)
