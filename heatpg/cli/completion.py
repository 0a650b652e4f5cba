"""heatpg completion: what a shell needs to complete the command line, written from the parser itself.

The script holds every command, option and choice, and the names that are registered when it is written; it starts no
Python. Write it again after an update of heatpg.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from heatpg.cli.parser import Commands
from heatpg.cli.talk import OK, envelope, loadable, reply
from heatpg.version import __version__

__all__ = ["SHELLS", "Argument", "Command", "add", "read_parser", "script"]

SHELLS = ("bash", "zsh", "fish")

_FILES = {
    "F.h5": ("h5", "hdf5", "nc"),
    "FILE.h5": ("h5", "hdf5", "nc"),
    "F.png": ("png", "pdf", "svg"),
    "F.html": ("html",),
    "F.json": ("json",),
    "SPEC.toml": ("toml",),
    "SOURCE": ("h5", "hdf5", "nc", "npy", "npz"),
}
_NAMES = {"--solver": "solvers", "--boundary": "boundaries", "--kind": "figures"}
_KEYS = {"--set": "landscapes", "--solver-option": "solvers"}
_ENDING = re.compile(r"(?:^|[ (])\.([a-z0-9]+)\b")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.:=/,+-]")


@dataclasses.dataclass(frozen=True)
class Argument:
    """What can stand in one place of a command line.

    Attributes
    ----------
    options
        The ways to write an option; empty for an argument that has only a place.
    words
        Words that can stand there.
    endings
        Endings of files that can stand there.
    folders
        Whether a folder can.
    keys
        For ``KEY=VALUE``: the keys by the name that they belong to.
    value
        Whether anything follows the option.
    repeats
        Whether it can be given more than once.
    summary
        Its help.
    """

    options: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()
    folders: bool = False
    keys: tuple[tuple[str, tuple[str, ...]], ...] = ()
    value: bool = True
    repeats: bool = False
    summary: str = ""


@dataclasses.dataclass(frozen=True)
class Command:
    """A command of the parser.

    Attributes
    ----------
    path
        Its words: ``("batch", "run")``; empty for heatpg itself.
    summary
        Its help.
    commands
        Names and help of the commands below it.
    options, places
        Its options, and what stands in its places.
    """

    path: tuple[str, ...]
    summary: str
    commands: tuple[tuple[str, str], ...]
    options: tuple[Argument, ...]
    places: tuple[Argument, ...]

    @property
    def words(self) -> str:
        """The path as it is typed."""
        return " ".join(self.path)


# From the parser ---------------------------------------------------------------------------------------------------


def _registered() -> tuple[dict[str, tuple[str, ...]], dict[str, dict[str, tuple[str, ...]]]]:
    """Names of what is registered, and the options of landscapes and solvers."""
    from heatpg.boundaries import boundaries
    from heatpg.claims import claims
    from heatpg.landscapes import landscapes
    from heatpg.plot import figures
    from heatpg.solvers import solvers
    from heatpg.tools.options import settable

    names = {
        "boundaries": tuple(boundaries.names()),
        "claims": tuple(claims.names()),
        "figures": tuple(figures.names()),
        "landscapes": tuple(landscapes.names()),
        "solvers": tuple(solvers.names()),
    }
    keys = {
        "landscapes": {name: tuple(settable(entry)) for name, entry in loadable(landscapes).items()},
        "solvers": {name: tuple(settable(entry)) for name, entry in loadable(solvers).items()},
    }
    return names, keys


def _endings(metavar: str, summary: str) -> tuple[str, ...]:
    """Endings of the files that a value can be: those of its name, and those that its help names."""
    if metavar not in _FILES:
        return ()
    return tuple(dict.fromkeys([*_FILES[metavar], *_ENDING.findall(summary)]))


class _Reader:
    """Turns actions of argparse into what can be completed."""

    def __init__(self, names: Mapping[str, tuple[str, ...]], keys: Mapping[str, Mapping[str, tuple[str, ...]]]) -> None:
        self.names = names
        self.keys = keys

    def argument(self, action: argparse.Action, path: tuple[str, ...]) -> Argument:
        """One action."""
        metavar = action.metavar if isinstance(action.metavar, str) else ""
        long = next((option for option in action.option_strings if option.startswith("--")), "")
        words = tuple(str(choice) for choice in action.choices or ())
        if not words and metavar.startswith("{"):
            words = tuple(metavar.strip("{}").split(","))
        if not words and long in _NAMES and metavar == "NAME":
            words = self.names[_NAMES[long]]
            if long == "--solver" and action.default == "auto":
                words = ("auto", *words)
        if metavar == "SOURCE":
            words = self.names["landscapes"]
        if metavar == "ID" and path == ("claims",):
            words = self.names["claims"]
        keys = self.keys.get(_KEYS.get(long, ""), {}) if metavar == "KEY=VALUE" else {}
        return Argument(
            options=tuple(action.option_strings),
            words=words,
            endings=_endings(metavar, action.help or ""),
            folders=metavar == "DIR" or (metavar == "SPEC.toml" and path[:1] == ("batch",)),
            keys=tuple(keys.items()),
            value=action.nargs != 0,
            repeats=isinstance(action, argparse._AppendAction) or action.nargs in ("*", "+"),
            summary=" ".join((action.help or "").replace("%%", "%").split()),
        )

    def commands(self, parser: argparse.ArgumentParser, path: tuple[str, ...], summary: str) -> Iterator[Command]:
        """A parser and those below it."""
        below: list[tuple[str, argparse.ArgumentParser, str]] = []
        options: list[Argument] = []
        places: list[Argument] = []
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
                below += [(name, each, helps.get(name, "")) for name, each in action.choices.items()]
            elif action.help == argparse.SUPPRESS:
                continue
            else:
                (options if action.option_strings else places).append(self.argument(action, path))
        listed = tuple((name, words) for name, _, words in below)
        yield Command(path, summary, listed, tuple(options), tuple(places))
        for name, each, words in below:
            yield from self.commands(each, (*path, name), words)


def read_parser(parser: argparse.ArgumentParser) -> list[Command]:
    """Every command of a parser, heatpg itself first.

    Parameters
    ----------
    parser
        Its sub-commands are followed to any depth; arguments are known by their names for values (``F.h5``, ``DIR``).
    """
    return list(_Reader(*_registered()).commands(parser, (), ""))


def _quoted(text: str) -> str:
    """A word that a POSIX shell takes as it is."""
    return "'" + text.replace("'", "'\\''") + "'"


def _short(summary: str, longest: int = 72) -> str:
    """Help on one line: its first clause, without the default in brackets."""
    plain = re.sub(r"\s*\((?:default|extra|see)\b[^)]*\)", "", summary)
    first = plain.split(";")[0].rstrip(". ")
    return first if len(first) <= longest else f"{first[: longest - 1].rstrip()}…"


# bash --------------------------------------------------------------------------------------------------------------

_BASH = r"""# bash completion for heatpg @version@, written by: heatpg completion bash
# Use it: source <(heatpg completion bash), for good in ~/.bashrc.

# What can follow, by command: the commands below it, its options, what follows an option, what stands in a place.
_heatpg_commands() {
    case $1 in
@commands@
    *) ;;
    esac
}

_heatpg_options() {
    case $1 in
@options@
    *) ;;
    esac
}

# Kinds: "words a b", "files h5 npy", "folders", "keys landscapes", "any"; several with " | "; nothing for a flag.
_heatpg_value() {
    case $1 in
@values@
    *) ;;
    esac
}

_heatpg_place() {
    case $1 in
@places@
    *) ;;
    esac
}

_heatpg_keys() {
    case $1 in
@keys@
    *) ;;
    esac
}

# Adds what fits $1 of the kinds in $2; $3 stands before every word.
_heatpg_add() {
    local typed=$1 before=$3 kind rest=$2 word name ending
    while [ -n "$rest" ]; do
        kind=${rest%% | *}
        if [ "$kind" = "$rest" ]; then rest=""; else rest=${rest#* | }; fi
        set -- $kind
        word=$1
        shift
        case $word in
        words)
            for name in "$@"; do
                case $name in "$typed"*) COMPREPLY+=("$before$name") ;; esac
            done
            ;;
        keys)
            if [ "$1" = solvers ]; then name=$solver; else name=$landscape; fi
            for name in $(_heatpg_keys "$1 $name"); do
                case $name in "$typed"*) COMPREPLY+=("$before$name") ;; esac
            done
            compopt -o nospace 2>/dev/null
            ;;
        folders | files)
            compopt -o filenames 2>/dev/null
            while IFS= read -r name; do
                if [ -d "$name" ]; then
                    COMPREPLY+=("$before$name")
                    continue
                fi
                for ending in "$@"; do
                    case $name in *."$ending") COMPREPLY+=("$before$name") ;; esac
                done
            done < <(compgen -f -- "$typed")
            ;;
        esac
    done
}

_heatpg() {
    local IFS=$' \t\n'
    local command="" place=0 expected="" previous="" word i current option value prefix skip
    local -a line=()
    local landscape="" solver=""
    COMPREPLY=()
    # bash cuts words at = and :, which stand inside ours
    for ((i = 1; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [ ${#line[@]} -gt 0 ] && [[ $word == [=:]* || $previous == *[=:] ]]; then
            line[${#line[@]} - 1]+=$word
        else
            line+=("$word")
        fi
        previous=$word
    done
    current=${line[${#line[@]} - 1]}
    for ((i = 0; i < ${#line[@]} - 1; i++)); do
        word=${line[i]}
        if [ -n "$expected" ]; then
            [ "$option" = --solver ] && solver=$word
            expected=""
            continue
        fi
        case $word in
        --*=*)
            [ "${word%%=*}" = --solver ] && solver=${word#*=}
            ;;
        -*)
            option=$word
            expected=$(_heatpg_value "$command $word")
            ;;
        *)
            case " $(_heatpg_commands "$command") " in
            *" $word "*) command="${command:+$command }$word" ;;
            *)
                [ "$place" -eq 0 ] && landscape=$word
                place=$((place + 1))
                ;;
            esac
            ;;
        esac
    done
    if [ -n "$expected" ]; then
        _heatpg_add "$current" "$expected" ""
    elif [[ $current == --*=* ]]; then
        option=${current%%=*}
        _heatpg_add "${current#*=}" "$(_heatpg_value "$command $option")" "$option="
    elif [[ $current == -* ]]; then
        _heatpg_add "$current" "words $(_heatpg_options "$command")" ""
    else
        [ "$place" -eq 0 ] && _heatpg_add "$current" "words $(_heatpg_commands "$command")" ""
        value=$(_heatpg_place "$command $place")
        [ -n "$value" ] || value=$(_heatpg_place "$command *")
        _heatpg_add "$current" "$value" ""
    fi
    # of a word that bash has cut, only the last piece is replaced
    if [[ $current == *[=:]* && $COMP_WORDBREAKS == *[=:]* ]]; then
        prefix=${current%"${current##*[=:]}"}
        for i in "${!COMPREPLY[@]}"; do COMPREPLY[i]=${COMPREPLY[i]#"$prefix"}; done
    fi
}

complete -F _heatpg heatpg
"""


def _owner(argument: Argument) -> str:
    """What the keys of an option belong to: landscapes or solvers."""
    return next(owner for option, owner in _KEYS.items() if option in argument.options)


def _owned(commands: Sequence[Command]) -> dict[str, tuple[str, ...]]:
    """The keys that there are, by what they belong to: ``landscapes ridge``."""
    return {
        f"{_owner(argument)} {name}": tuple(f"{key}=" for key in keys)
        for command in commands
        for argument in command.options
        for name, keys in argument.keys
        if keys
    }


def _kinds(argument: Argument) -> str:
    """What can be completed, in the words of the bash script."""
    parts = []
    if argument.words:
        parts.append("words " + " ".join(word for word in argument.words if not _UNSAFE.search(word)))
    if argument.endings:
        parts.append("files " + " ".join(argument.endings))
    elif argument.folders:
        parts.append("folders")
    if argument.keys:
        parts.append(f"keys {_owner(argument)}")
    return " | ".join(parts) or "any"


def _case(patterns: Sequence[str], text: str) -> str:
    return f"    {' | '.join(_quoted(pattern) for pattern in patterns)}) printf %s {_quoted(text)} ;;"


def _bash(commands: Sequence[Command]) -> str:
    lines: dict[str, list[str]] = {name: [] for name in ("commands", "options", "values", "places", "keys")}
    for command in commands:
        if command.commands:
            lines["commands"].append(_case([command.words], " ".join(name for name, _ in command.commands)))
        every = [option for argument in command.options for option in argument.options]
        lines["options"].append(_case([command.words], " ".join(every)))
        for argument in command.options:
            if argument.value:
                patterns = [f"{command.words} {option}" for option in argument.options]
                lines["values"].append(_case(patterns, _kinds(argument)))
        for number, argument in enumerate(command.places):
            place = "*" if argument.repeats else str(number)
            lines["places"].append(_case([f"{command.words} {place}"], _kinds(argument)))
    lines["keys"] = [_case([owner], " ".join(keys)) for owner, keys in _owned(commands).items()]
    text = _BASH.replace("@version@", __version__)
    for name, content in lines.items():
        text = text.replace(f"@{name}@", "\n".join(content))
    return text


# zsh ---------------------------------------------------------------------------------------------------------------


def _zsh_text(text: str) -> str:
    """Help inside a specification of ``_arguments`` that stands in single quotes."""
    escaped = re.sub(r"([\\\[\]:])", r"\\\1", text)
    return escaped.replace("'", "'\\''")


def _zsh_action(argument: Argument) -> str:
    """What ``_arguments`` does for a value."""
    glob = f'_files -g "*.({"|".join(argument.endings)})"' if argument.endings else ""
    words = " ".join(_zsh_text(word) for word in argument.words)
    if argument.keys:
        return f"_heatpg_keys {_owner(argument)}"
    if words and glob:
        endings = " ".join(argument.endings)
        return f'_heatpg_names_or_files "{endings}" {words}'
    if words:
        return f"({words})"
    if glob:
        return glob
    return "_files -/" if argument.folders else " "


def _zsh_specifications(command: Command) -> list[str]:
    lines = []
    for argument in command.options:
        help_text = f"[{_zsh_text(_short(argument.summary))}]"
        value = f":value:{_zsh_action(argument)}" if argument.value else ""
        others = " ".join(argument.options)
        for option in argument.options:
            # a star lets an option be repeated, a list in brackets keeps it from being offered twice
            joined = "=" if argument.value and option.startswith("--") else ""
            once = f"'*'{option}{joined}" if argument.repeats else f"'({others})'{option}{joined}"
            lines.append(f"{once}'{help_text}{value}'")
    for number, argument in enumerate(command.places, 1):
        place = "*" if argument.repeats else str(number)
        lines.append(f"'{place}:{_zsh_text(_short(argument.summary) or 'argument')}:{_zsh_action(argument)}'")
    return lines


def _zsh_function(command: Command) -> str:
    name = "_".join(["_heatpg", *command.path])
    specifications = _zsh_specifications(command)
    if not command.commands:
        joined = " \\\n        ".join(specifications)
        return f"{name}() {{\n    _arguments -s -S \\\n        {joined}\n}}\n"
    listed = "\n".join(f"        '{_zsh_text(word)}:{_zsh_text(_short(words))}'" for word, words in command.commands)
    cases = "\n".join(
        f"        {word}) {'_'.join(['_heatpg', *command.path, word])} ;;" for word, _ in command.commands
    )
    joined = " \\\n        ".join([*specifications, "'1:command:->command'", "'*::argument:->argument'"])
    return (
        f"{name}() {{\n    local context state state_descr line\n    typeset -A opt_args\n    local -a commands\n"
        f"    commands=(\n{listed}\n    )\n    _arguments -C \\\n        {joined}\n"
        f"    case $state in\n    command) _describe -t commands command commands ;;\n"
        f"    argument)\n        case $line[1] in\n{cases}\n        esac\n        ;;\n    esac\n}}\n"
    )


def _zsh(commands: Sequence[Command]) -> str:
    cases = "\n".join(
        f"        {_quoted(owner)}) keys=({' '.join(_quoted(key) for key in keys)}) ;;"
        for owner, keys in _owned(commands).items()
    )
    helpers = (
        "_heatpg_names_or_files() {\n"
        "    local endings=$1\n    shift\n"
        '    _alternative "names:name:($*)" "files:file:_files -g \'*.(${endings// /|})\'"\n'
        "}\n\n"
        "# The keys of the landscape, or of the solver, that stands on the line.\n"
        "_heatpg_keys() {\n"
        "    local word before\n    local -a keys\n"
        "    for word in $words; do\n"
        "        if [[ $1 == solvers && $before != --solver && $word != --solver=* ]]; then\n"
        "            before=$word\n            continue\n        fi\n"
        "        before=$word\n"
        '        case "$1 ${word#--solver=}" in\n'
        f"{cases}\n"
        "        esac\n"
        "    done\n"
        "    compadd -S '' -- $keys\n"
        "}\n"
    )
    functions = "\n".join(_zsh_function(command) for command in commands)
    return (
        "#compdef heatpg\n"
        f"# zsh completion for heatpg {__version__}, written by: heatpg completion zsh\n"
        "# Use it: source <(heatpg completion zsh), after compinit in ~/.zshrc; or as the file _heatpg in $fpath.\n\n"
        f"{helpers}\n{functions}\n"
        'if [ "$funcstack[1]" = "_heatpg" ]; then\n    _heatpg "$@"\nelse\n    compdef _heatpg heatpg\nfi\n'
    )


# fish --------------------------------------------------------------------------------------------------------------


def _fish_text(text: str) -> str:
    """A word in single quotes, where only the quote and the backslash mean something."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _fish_values(argument: Argument) -> str:
    """What can stand as a value, for the option -a of ``complete``."""
    parts = [" ".join(argument.words)] if argument.words else []
    parts += [f"(__fish_complete_suffix .{ending})" for ending in argument.endings]
    if argument.folders and not argument.endings:
        parts.append("(__fish_complete_directories)")
    if argument.keys:
        parts.append(f"(__heatpg_keys {_owner(argument)})")
    return " ".join(parts)


def _fish(commands: Sequence[Command]) -> str:
    known = " ".join(_fish_text(command.words) for command in commands if command.path)
    rows = []
    for command in commands:
        here = f"-n {_fish_text(f'__heatpg_at {_fish_text(command.words)}')}"
        for name, words in command.commands:
            rows.append(f"complete -c heatpg {here} -a {name} -d {_fish_text(_short(words))}")
        for argument in command.options:
            flags = " ".join(
                f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}" for option in argument.options
            )
            values = _fish_values(argument)
            takes = f" -r{f' -a {_fish_text(values)}' if values else ''}" if argument.value else ""
            rows.append(f"complete -c heatpg {here} {flags}{takes} -d {_fish_text(_short(argument.summary))}")
        for argument in command.places:
            values = _fish_values(argument)
            if values:
                rows.append(f"complete -c heatpg {here} -a {_fish_text(values)}")
    cases = "\n".join(
        f"            case {_fish_text(owner)}\n                printf '%s\\n' {' '.join(keys)}"
        for owner, keys in _owned(commands).items()
    )
    helpers = f"""# The command that the words so far name, as in: batch run.
function __heatpg_command
    set -l known {known}
    set -l path
    for word in (commandline -opc)
        set -l longer (string trim -- "$path $word")
        if contains -- "$longer" $known
            set path $longer
        end
    end
    echo "$path"
end

function __heatpg_at
    test (__heatpg_command) = "$argv[1]"
end

# The keys of the landscape, or of the solver, that stands on the line.
function __heatpg_keys
    set -l before
    for word in (commandline -opc)
        set -l owner (string replace -- '--solver=' '' $word)
        if test $argv[1] = solvers; and test "$before" != --solver; and test "$owner" = "$word"
            set before $word
            continue
        end
        set before $word
        switch "$argv[1] $owner"
{cases}
        end
    end
end
"""
    heading = (
        f"# fish completion for heatpg {__version__}, written by: heatpg completion fish\n"
        "# Use it: heatpg completion fish > ~/.config/fish/completions/heatpg.fish\n"
    )
    return "\n".join([heading, helpers, "complete -c heatpg -f", *rows, ""])


# The command -------------------------------------------------------------------------------------------------------

_WRITERS: dict[str, Callable[[Sequence[Command]], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}


def script(shell: str, parser: argparse.ArgumentParser) -> str:
    """The completion script of a shell: bash from 4.0, zsh from 5.0, fish from 3.0.

    Parameters
    ----------
    shell
        One of `SHELLS`.
    parser
        What is to be completed.
    """
    return _WRITERS[shell](read_parser(parser))


def _completion(arguments: argparse.Namespace) -> int:
    text = script(arguments.shell, arguments.parser)
    reply(
        arguments,
        lambda: envelope("completion") | {"shell": arguments.shell, "script": text},
        result=[text.rstrip("\n")],
    )
    return OK


def add(commands: Commands) -> None:
    """Put the command into the parser."""
    completion = commands.add(
        "completion", _completion, "Write the script with which a shell completes: source <(heatpg completion bash)."
    )
    completion.add_argument("shell", choices=SHELLS)
    completion.set_defaults(parser=commands.parser)
