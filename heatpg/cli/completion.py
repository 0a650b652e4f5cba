"""heatpg completion: what a shell needs to complete the command line, written from the parser itself.

The script holds every command, option and choice, and the names that are registered when it is written; it starts no
Python, because loading what is registered takes seconds and a Tab may not. Write it again after an update of heatpg.

The scripts are those of shtab. What it does not know stands in a preamble: keys of ``--set`` by landscape, names or
files in one place, several endings of files. In bash a frame around its function puts words together again that bash
has cut at ``=`` and ``:``.
"""

from __future__ import annotations

import argparse
import copy
import re
from collections.abc import Iterator, Mapping

from heatpg.cli.parser import Commands
from heatpg.cli.talk import OK, envelope, loadable, reply
from heatpg.tools.endings import SOURCES
from heatpg.version import __version__

__all__ = ["SHELLS", "add", "script"]

SHELLS = ("bash", "zsh", "fish")

Names = Mapping[str, tuple[str, ...]]
Keys = Mapping[str, Names]

# What can stand for a value is known by the name that the help gives it.
_FILES = {
    "F.h5": ("h5", "hdf5", "nc"),
    "FILE.h5": ("h5", "hdf5", "nc"),
    "F.png": ("png", "pdf", "svg"),
    "F.html": ("html",),
    "F.json": ("json",),
    "SPEC.toml": ("toml",),
    "SOURCE": tuple(ending[1:] for ending in SOURCES),
}
_NAMES = {"--solver": "solvers", "--boundary": "boundaries", "--kind": "figures"}
_KEYS = {"--set": "landscapes", "--solver-option": "solvers"}
_ENDING = re.compile(r"(?:^|[ (])\.([a-z0-9]+)\b")  # as help texts write them: "the figure: .png, .pdf or .svg"
_UNSAFE = re.compile(r"[^A-Za-z0-9_.:=/,+-]")  # names of plug-ins that would mean something else to a shell
_LONGEST = 72  # letters of a help text beside a completion: what a terminal of 100 columns has left, a taste

# In bash a completer is called with what has been typed and prints what fits; in zsh it adds matches itself; in fish it
# prints everything, and fish picks.
_BASH = r"""
# Folders that fit $1, and files with one of the endings that follow.
_heatpg_files() {
    local typed=$1 name ending
    shift
    while IFS= read -r name; do
        [ -d "$name" ] && printf '%s\n' "$name" && continue
        for ending in "$@"; do
            case $name in *."$ending") printf '%s\n' "$name" ;; esac
        done
    done < <(compgen -f -- "$typed")
}

# The keys of the landscape, or of the solver, that stands on the line.
_heatpg_keys() {
    local before="" word
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        if [ "$1" = landscapes ] || [ "$before" = --solver ]; then
            case "$1 $word" in
@keys@
            esac
        fi
        before=$word
    done
}
"""

# `local COMP_WORDS` is seen by the functions that are called from here, as all variables of bash are. A function that
# runs in a substitution cannot set nospace, so that is done here, for keys, which are all that ends with "=".
_BASH_FRAME = r"""
_heatpg() {
    local IFS=$' \t\n' word previous="" current prefix i
    local -a line=() words=()
    # bash cuts words at = and :, which stand inside ours
    for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
        if [ ${#line[@]} -gt 1 ] && [[ $word == [=:]* || $previous == *[=:] ]]; then
            line[${#line[@]} - 1]+=$word
        else
            line+=("$word")
        fi
        previous=$word
    done
    current=${line[${#line[@]} - 1]}
    for word in "${line[@]}"; do
        case $word in
        --*=*) words+=("${word%%=*}" "${word#*=}") ;;
        *) words+=("$word") ;;
        esac
    done
    prefix=""
    [[ $current == --*=* ]] && prefix=${current%%=*}=
    local -a COMP_WORDS=("${words[@]}")
    local COMP_CWORD=$((${#words[@]} - 1))
    _shtab_heatpg
    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
    for i in "${!COMPREPLY[@]}"; do COMPREPLY[i]=$prefix${COMPREPLY[i]}; done
    # of a word that bash has cut, only the last piece is replaced
    if [[ $current == *[=:]* && $COMP_WORDBREAKS == *[=:]* ]]; then
        prefix=${current%"${current##*[=:]}"}
        for i in "${!COMPREPLY[@]}"; do COMPREPLY[i]=${COMPREPLY[i]#"$prefix"}; done
    fi
}

complete -F _heatpg heatpg
"""

_ZSH = r"""
_heatpg_names_or_files() {
    local endings=$1
    shift
    _alternative "names:name:($*)" "files:file:_files -g '*.(${endings// /|})'"
}

# The keys of the landscape, or of the solver, that stands on the line.
_heatpg_keys() {
    local word before
    for word in $words; do
        if [[ $1 == landscapes || $before == --solver || $word == --solver=* ]]; then
            case "$1 ${word#--solver=}" in
@keys@
            esac
        fi
        before=$word
    done
}
"""

_FISH = r"""
# The keys of the landscape, or of the solver, that stands on the line.
function _heatpg_keys
    set -l before ''
    for word in (commandline -opc)
        set -l name (string replace -- '--solver=' '' $word)
        if test $argv[1] = landscapes; or test $before = --solver; or test $name != $word
            switch "$argv[1] $name"
@keys@
            end
        end
        set before $word
    end
end
"""


def _registered() -> tuple[Names, Keys]:
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


def _parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser and those below it."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _parsers(below)


def _short(text: str) -> str:
    """Help on one line: its first clause, without the default in brackets."""
    plain = re.sub(r"\s*\((?:default|extra|see)\b[^)]*\)", "", text)
    first = plain.split(";")[0].rstrip(". ")
    return first if len(first) <= _LONGEST else f"{first[: _LONGEST - 1].rstrip()}…"


def _quoted(text: str) -> str:
    """A word that a POSIX shell takes as it is."""
    return "'" + text.replace("'", "'\\''") + "'"


def _metavar(action: argparse.Action) -> str:
    return action.metavar if isinstance(action.metavar, str) else ""


def _words(action: argparse.Action, names: Names) -> tuple[str, ...]:
    """The words that can stand for a value, but for those that would have to be quoted."""
    return tuple(word for word in _all_words(action, names) if not _UNSAFE.search(word))


def _all_words(action: argparse.Action, names: Names) -> tuple[str, ...]:
    metavar = _metavar(action)
    if action.choices:
        return tuple(map(str, action.choices))
    if metavar.startswith("{"):
        return tuple(metavar.strip("{}").split(","))
    if metavar in ("SOURCE", "ID"):
        return names["landscapes" if metavar == "SOURCE" else "claims"]
    kind = next((_NAMES[option] for option in action.option_strings if option in _NAMES), "")
    if metavar != "NAME" or not kind:
        return ()
    # auto is no registered solver; where it is the default, it can be named as well
    return (*(("auto",) if action.default == "auto" else ()), *names[kind])


def _complete(action: argparse.Action, words: tuple[str, ...]) -> dict[str, str | dict[str, str]]:
    """What each shell calls for a file, a folder or a key; empty where there are only words, or nothing."""
    metavar = _metavar(action)
    kind = next((_KEYS[option] for option in action.option_strings if option in _KEYS), "")
    endings = tuple(dict.fromkeys([*_FILES[metavar], *_ENDING.findall(action.help or "")])) if metavar in _FILES else ()
    if kind:
        return {
            "bash": f"_heatpg_keys_{kind}",
            # without the blank, _arguments puts words of its own before the first argument
            "zsh": f" _heatpg_keys {kind}",
            "fish": f"(_heatpg_keys {kind})",
            "preamble": {"bash": f'_heatpg_keys_{kind}() {{ compgen -W "$(_heatpg_keys {kind})" -- "$1"; }}'},
        }
    if not endings and metavar != "DIR":
        return {}
    offered = f'compgen -W {_quoted(" ".join(words))} -- "$1"; ' if words else ""
    function = "_".join(["_heatpg_files", metavar.replace(".", "_"), *endings])
    suffixes = [f"(__fish_complete_suffix .{ending})" for ending in endings] or ["(__fish_complete_directories)"]
    # zsh would take "(toml)" alone for glob qualifiers
    ending = endings[0] if len(endings) == 1 else f"({'|'.join(endings)})"
    files = f"_files -g '*.{ending}'" if endings else "_files -/"
    return {
        "bash": function,
        "zsh": f" _heatpg_names_or_files '{' '.join(endings)}' {' '.join(words)}" if words else files,
        "fish": " ".join([*words, *suffixes]),
        "preamble": {"bash": f'{function}() {{ {offered}_heatpg_files "$1" {" ".join(endings)}; }}'},
    }


def _prepared(parser: argparse.ArgumentParser, shell: str, names: Names) -> argparse.ArgumentParser:
    """A copy of the parser that tells shtab what can stand in each place."""
    parser = copy.deepcopy(parser)  # the caller goes on parsing with the one that it has
    for below in _parsers(parser):
        below.description = _short(below.description or "")
        for action in below._actions:
            if isinstance(action, argparse._SubParsersAction):
                # according to argparse ("A..."), bash would offer the commands again after a word that is none
                action.nargs = None
                continue
            words = _words(action, names)
            # choices would do for words alone, but not together with files; shtab looks at `complete` first
            if complete := _complete(action, words):
                action.complete = complete  # type: ignore[attr-defined]
            elif words:
                # in a specification of _arguments a bare colon begins the next part
                action.choices = [word.replace(":", r"\:") for word in words] if shell == "zsh" else words
            if shell == "zsh" and action.nargs != 0:
                # for _arguments this means: in a word of its own, or after "="
                action.option_strings = [f"{word}=" if word[:2] == "--" else word for word in action.option_strings]
            if action.help and action.help != argparse.SUPPRESS:
                action.help = _short(action.help.replace("%%", "%")).replace("%", "%%")
    return parser


def _preamble(shell: str, keys: Keys) -> str:
    """The functions of a shell that know the keys."""
    template, case = {
        "bash": (_BASH, "            {owner}) printf '%s\\n' {keys} && return ;;"),
        "zsh": (_ZSH, "            {owner}) compadd -S '' -- {keys} && return ;;"),
        "fish": (_FISH, "            case {owner}\n                printf '%s\\n' {keys}\n                return"),
    }[shell]
    cases = [
        case.format(owner=_quoted(f"{kind} {name}"), keys=" ".join(f"{key}=" for key in own))
        for kind, owners in keys.items()
        for name, own in owners.items()
        if own
    ]
    return template.replace("@keys@", "\n".join(cases))


def script(shell: str, parser: argparse.ArgumentParser) -> str:
    """The completion script of a shell: bash from 4.0, zsh from 5.0, fish from 3.0.

    Parameters
    ----------
    shell
        One of `SHELLS`.
    parser
        What is to be completed; it is left as it is. Arguments are known by their names for values (``F.h5``, ``DIR``).
    """
    import shtab  # here, so that no other command waits for it

    names, keys = _registered()
    text = shtab.complete(_prepared(parser, shell, names), shell, preamble=_preamble(shell, keys))
    heading = f"# {shell} completion for heatpg {__version__}, written by: heatpg completion {shell}\n"
    if shell == "bash":
        return f"{heading}# Use it: source <(heatpg completion bash), for good in ~/.bashrc.\n\n{text}\n{_BASH_FRAME}"
    if shell == "fish":
        return f"{heading}# Use it: heatpg completion fish > ~/.config/fish/completions/heatpg.fish\n\n{text}"
    # shtab writes "(*)::help" for any number of arguments, of which zsh then completes only one
    text = text.replace('"(*)::', '"*:')
    # whether it is read by `source` or from $fpath, shtab's text must be evaluated: else it tries to complete at once
    return (
        f"#compdef heatpg\n{heading}"
        "# Use it: source <(heatpg completion zsh), after compinit in ~/.zshrc; or as the file _heatpg in $fpath.\n\n"
        f"eval {_quoted(text)}\n"
        'if [ "$funcstack[1]" = _heatpg ]; then\n    _shtab_heatpg "$@"\nfi\n'
    )


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
        "completion", _completion, "Write the completion script of a shell: source <(heatpg completion bash)."
    )
    completion.add_argument("shell", choices=SHELLS)
    completion.set_defaults(parser=commands.parser)
