"""The command line: every stage with its options, from the parser that it is read with."""

import argparse

from _ext.markdown import code, plain, table
from breakeven.commands import parser_for
from breakeven.stages import STAGES, Stage

# what the workflow tells each stage that writes something; told once
COMMON = ("key", "code", "read", "cost")
HEADS = ("argument", "", "what it is")


def text() -> str:
    """The stages, in the order in which data flow."""
    told = [action for action in parser_of("prepare")._actions if action.dest in COMMON]
    common = "## Of every stage that writes something\n\n" + table(HEADS, map(_row, told))
    return "\n\n".join([*(_stage(stage) for stage in STAGES), common])


def parser_of(stage: str) -> argparse.ArgumentParser:
    """The parser of one stage."""
    [commands] = [each for each in parser_for([stage])._actions if isinstance(each, argparse._SubParsersAction)]
    made: argparse.ArgumentParser = commands.choices[stage]
    return made


def _stage(stage: Stage) -> str:
    parser = parser_of(stage.name)
    told = [each for each in parser._actions if not isinstance(each, argparse._HelpAction) and each.dest not in COMMON]
    rows = [*map(_row, told)]
    if stage.hands_on:
        rows.append((code("..."), "", f"options of {stage.hands_on}, which are handed on"))
    return "\n\n".join([f"## `{stage.name}`", plain(parser.description or ""), table(HEADS, rows)])


def _row(action: argparse.Action) -> tuple[str, str, str]:
    words = (action.help or "").replace("%%", "%") or {"device": "where it runs"}.get(action.dest, "")
    return name_of(action), "required" if action.required else "", plain(words)


def name_of(action: argparse.Action) -> str:
    """An argument as it is typed, with the values that it may have."""
    choices = f" {{{','.join(map(str, action.choices))}}}" if action.choices else ""
    return code(("/".join(action.option_strings) or action.dest) + choices)
