"""A command line for a stage, made from the signature of its function and, of a measurement, from the class of its settings."""

import argparse
import importlib
import inspect
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from breakeven import __version__
from breakeven.specs import run, study
from breakeven.specs.checked import check
from breakeven.specs.dataset import Subsets
from breakeven.specs.measurements import BY_NAME, MEMORY_MB, settings_of
from breakeven.specs.run import RunSpec
from breakeven.specs.settings import Setting
from breakeven.specs.study import Study
from breakeven.stages import STAGE, STAGES, Stage
from breakeven.store.errors import UserError

# what a parameter is, whatever the stage
HELP = {
    "code": "the code that was planned, JSON; where this is another, there is no key",
    "config": "the config, a YAML file",
    "cost": "what to write of seconds and memory that it took, a file of one row",
    "data": "folder of the prepared data set",
    "family": "digest of what the beginning of the run depends on, for it to go on from a shorter run beside it",
    "figure": "name of the figure",
    "folder": "of the finding, such as docs/findings/NAME; without it, the pages of all findings in RESULTS are written anew",
    "file": "what to write, a YAML file",
    "initial_weights": "the file of the weights that training begins from, where the specification has its digest",
    "javascript": "the script that stage bundle writes",
    "keep": "1 keeps all snapshots, N each N-th and the last, 0 none",
    "key": "digest of all that the results depend on, by which the next snakemake knows them; without one it makes them again",
    "like": "the name of a config of the package",
    "location": "where the data lies, JSON",
    "memory_mb": "megabytes for gradients and their graphs (default: 2000; on a GPU half of its memory, shared by its slots)",
    "names": "runs and studies, by name; none means all runs",
    "out": "what to write: a table, a page, or a folder",
    "read": "files and folders that are read, with their digests, JSON; where they are others at the end, there is no key",
    "results": "the results folder",
    "run": "folder of the run",
    "source": "folder of the run whose break-even point the schedule counts in",
    "spec": "the canonical specification, JSON; - reads it from standard input",
    "state": "folder for checkpoints; the last one stays, for a longer run to go on from",
    "studies": "the studies, JSON; - reads it from standard input",
    "study": "the study, or the part of it that the stage needs, JSON; - reads it from standard input",
    "tables": "folder with tables",
    "tensorboard": "a folder for TensorBoard, which gets a log folder for each run",
    "yes": "do it; without it, they are only listed",
}


def function_of(stage: Stage) -> Callable[..., Any]:
    """The function that carries out a stage."""
    return _imported(stage.function)


def _imported(name: str) -> Callable[..., Any]:
    """The function ``MODULE:FUNCTION``."""
    module, _, attribute = name.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return function


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The arguments of the command line; of a stage that hands on, all that come after its own, which stands first."""
    parser = parser_for(arguments)
    stage = STAGE.get(arguments[0]) if arguments else None
    if stage is None or not stage.hands_on or not {"-h", "--help"}.isdisjoint(arguments):
        return parser.parse_args(arguments)
    own = 2 if len(arguments) > 1 and not arguments[1].startswith("-") else 1
    parsed = parser.parse_args(arguments[:own])
    setattr(parsed, stage.hands_on, arguments[own:])
    return parsed


def parser_for(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of the command line, which lists all stages and knows the arguments of the one that is called."""
    called = Path(sys.argv[0]).name == "breakeven"
    parser = argparse.ArgumentParser(
        prog="breakeven" if called else "python -m breakeven",
        description="What does the learning rate do to the loss surface? The whole pipeline, or one stage of it at a time.",
    )
    parser.add_argument("--version", action="version", version=f"breakeven {__version__}")
    commands = parser.add_subparsers(title="stages", metavar="STAGE", required=True)
    for stage in STAGES:
        command = commands.add_parser(stage.name, help=stage.words, description=stage.words)
        if stage.name in arguments[:1]:
            command.set_defaults(stage=stage)
            _add_arguments(command, stage)
    return parser


def call(stage: Stage, arguments: argparse.Namespace) -> Any:
    """Carry out a stage with the arguments of its command line."""
    function, values = function_of(stage), vars(arguments)
    parameters = inspect.signature(function).parameters
    if "device" in parameters:
        from breakeven.jobs.device import choose_device, memory_mb

        device = choose_device(arguments.device, arguments.threads, arguments.slots_per_gpu)
        values["device"] = device
        if values.get("memory_mb", 0) is None:
            values["memory_mb"] = memory_mb(device, arguments.slots_per_gpu, MEMORY_MB)
    if stage.first:
        _called(_imported(stage.first), values)
    return _called(function, values)


def _called(function: Callable[..., Any], values: Mapping[str, Any]) -> Any:
    return function(**{name: values[name] for name in inspect.signature(function).parameters})


def _add_arguments(command: argparse.ArgumentParser, stage: Stage) -> None:
    function = function_of(stage)
    hints = get_type_hints(function)
    settings = settings_of(BY_NAME[stage.name]) if stage.name in BY_NAME else {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name == stage.hands_on:
            command.usage = f"%(prog)s [{' '.join(stage.positional).upper()}] [OPTIONS OF {name.upper()} ...]"
        elif name in settings:
            _add_setting(command, settings[name])
        elif name == "device":
            _add_device(command)
        elif name not in ("memory_mb", "key"):
            _add_parameter(command, stage, parameter, hints[name])
    if "out" in hints:
        command.add_argument("--key", default="", help=HELP["key"])
        command.add_argument("--code", default="", help=HELP["code"])
        command.add_argument("--read", default="", help=HELP["read"])
        command.add_argument("--cost", type=_path, help=HELP["cost"])
    if stage.name in BY_NAME:  # also those that need none, so that one rule calls them all
        command.add_argument("--memory-mb", type=_at_least_1, help=HELP["memory_mb"])


def _add_parameter(command: argparse.ArgumentParser, stage: Stage, parameter: inspect.Parameter, hint: Any) -> None:
    required = parameter.default is inspect.Parameter.empty
    default = None if required else parameter.default
    kind = _told(_dataset) if (stage.name, parameter.name) == ("prepare", "spec") else _converter(hint)
    words = HELP.get(parameter.name, "") if required else _help(parameter.name, default)
    if hint is bool:
        command.add_argument(_flag(parameter.name), action="store_true", help=HELP[parameter.name])
    elif parameter.name in stage.positional and get_origin(hint) is Sequence:
        command.add_argument(parameter.name, type=kind, nargs="*", default=default, help=words)
    elif parameter.name in stage.positional:
        command.add_argument(parameter.name, type=kind, nargs=None if required else "?", default=default, help=words)
    else:
        command.add_argument(_flag(parameter.name), type=kind, required=required, default=default, help=words)


def _add_setting(command: argparse.ArgumentParser, setting: Setting) -> None:
    words = f"{setting.description} (default: {json.dumps(setting.default)})".replace("%", "%%")
    command.add_argument(_flag(setting.name), type=_checked(setting), default=setting.default, help=words)


def _add_device(command: argparse.ArgumentParser) -> None:
    command.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    command.add_argument("--slots-per-gpu", type=_at_least_1, default=1, help="jobs that share a GPU (default: 1)")
    command.add_argument("--threads", type=_at_least_1, default=1, help="CPU threads (default: 1)")


def _at_least_1(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not an integer of at least 1")
    return int(text)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _help(name: str, default: Any) -> str:
    if isinstance(default, tuple):
        default = " ".join(map(str, default))
    return f"{HELP.get(name, '')} (default: {default})" if default not in (None, "") else HELP.get(name, "")


def _converter(hint: Any) -> Callable[[str], Any]:
    """What turns the text of an argument into a value of its parameter's type."""
    if get_origin(hint) is not None and type(None) in get_args(hint):  # X | None
        hint = next(kind for kind in get_args(hint) if kind is not type(None))
    if hint in (Path, Sequence[Path]):
        return _path
    if hint == Sequence[str]:
        return str
    if hint in (str, int, float):
        plain: Callable[[str], Any] = hint
        return plain
    if hint is RunSpec:
        return _told(lambda text: run.from_hand(_content(text)))
    if hint is Study:
        return _told(lambda text: study.from_json(_content(text)))
    if get_origin(hint) is not None and Study in get_args(hint):
        return _told(lambda text: [study.from_part(part) for part in _json(text, list)])
    return _told(lambda text: _json(text, dict))


def _path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("a path must not be empty")
    return Path(text)


def _dataset(text: str) -> Any:
    """The specification of a data set; the options of its loader, the loader's own signature checks."""
    spec = _json(text, dict)
    for field in fields(Subsets):
        if field.name in spec:
            check(field.type, spec[field.name], f"spec.{field.name}")
    return spec


def _json(text: str, kind: type) -> Any:
    """What ``text`` says, a ``kind``."""
    value = json.loads(_content(text))
    if not isinstance(value, kind):
        raise ValueError(f"it must be {'a list' if kind is list else 'a mapping'}")
    return value


def _content(text: str) -> str:
    """``-`` stands for standard input, since Linux takes a single argument up to 128 KiB."""
    return sys.stdin.read() if text == "-" else text


def _told(convert: Callable[[str], Any]) -> Callable[[str], Any]:
    """``convert``, whose errors argparse tells in a sentence."""

    def converted(text: str) -> Any:
        try:
            return convert(text)
        except UserError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        except (ValueError, RecursionError) as error:
            raise argparse.ArgumentTypeError(f"{text[:200]!r} is not what JSON is expected here: {error}") from None

    return converted


def _checked(setting: Setting) -> Callable[[str], Any]:
    """A value of a setting from its text, which must be allowed."""

    def value(text: str) -> Any:
        try:
            return setting.parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return value


def flags(settings: Mapping[str, Any]) -> list[str]:
    """The arguments that say ``settings``, each one text that says its name and its value."""
    return [f"{_flag(name)}={'null' if value is None else value}" for name, value in settings.items()]
