"""Foreign text becomes neither markup nor a terminal's commands: the source says so, line by line.

`ANSI(…)` and `HTML(…)` of prompt_toolkit interpret their argument, `%` and `format` on them escape
less than they seem to, and a window title or formatted text goes to the terminal as it is.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import ipcchat

SOURCE = Path(ipcchat.__file__).parent

MARKUP = frozenset({"ANSI", "HTML", "PygmentsTokens", "Template"})
"""Made of a constant string, or not at all; what is filled in later is interpreted too."""
SHOWN = frozenset({"print_formatted_text", "set_title", "set_terminal_title", "write_raw"})
"""Go to the terminal: with a constant, or with what `text` has made safe."""
SAFE = frozenset({"clean_line", "visible"})
OUTLET = "outlet.py"
"""The one module that sends rows as they are: tests/tui/test_hostile.py looks at what it sends."""


def _name(node: ast.expr) -> str:
    """The last part of what is called: `HTML` of `formatted_text.HTML`."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _aliases(tree: ast.Module) -> dict[str, str]:
    """Names under which a module imports others: `from prompt_toolkit import HTML as H`."""
    return {
        alias.asname: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }


def _constant(node: ast.expr) -> bool:
    """Whether a text is written in the source as it is: no name, no f-string, no `%`."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _constant(node.left) and _constant(node.right)
    return isinstance(node, ast.Constant)


def _safe(node: ast.expr) -> bool:
    """Whether a text is constant, made safe, or put together of such parts."""
    match node:
        case ast.JoinedStr():
            return all(_safe(part) for part in node.values)
        case ast.FormattedValue():
            return _safe(node.value) or node.conversion == ord("a")
        case ast.BinOp(op=ast.Add()):
            return _safe(node.left) and _safe(node.right)
        case ast.IfExp():
            return _safe(node.body) and _safe(node.orelse)
        case ast.Call():
            return _name(node.func) in SAFE
    return isinstance(node, ast.Constant)


def findings(source: str) -> Iterator[str]:
    """`line: what is wrong` for each place of a module's source."""
    tree = ast.parse(source)
    aliases = _aliases(tree)

    def called(node: ast.AST) -> str:
        if not isinstance(node, ast.Call):
            return ""
        name = _name(node.func)
        return aliases.get(name, name)

    markup = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and called(node.value) in MARKUP
        for target in node.targets
        if isinstance(target, ast.Name)
    }

    def interpreted(node: ast.expr) -> bool:
        return called(node) in MARKUP or (isinstance(node, ast.Name) and node.id in markup)

    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = called(node)
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            if name in MARKUP and not all(map(_constant, given)):
                yield f"{node.lineno}: {name}() of what is not constant"
            elif name in SHOWN and node.args and not _safe(node.args[0]):
                yield f"{node.lineno}: {name}() of what was not made safe"
            elif name == "format" and interpreted(getattr(node.func, "value", node.func)):
                yield f"{node.lineno}: markup is filled in"
        elif (
            isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and interpreted(node.left)
        ):
            yield f"{node.lineno}: markup is filled in"


def test_no_foreign_text_becomes_markup_or_a_title() -> None:
    found = [
        f"{path.relative_to(SOURCE)}:{finding}"
        for path in sorted(SOURCE.rglob("*.py"))
        for finding in findings(path.read_text(encoding="utf-8"))
        if not (path.name == OUTLET and "write_raw" in finding)
    ]
    assert not found


@pytest.mark.parametrize(
    "source",
    [
        "ANSI(text)",
        "HTML(f'<b>{nick}</b>')",
        "HTML('<b>%s</b>' % nick)",
        "HTML('<b>%s</b>') % nick",
        "HTML('<b>{}</b>').format(nick)",
        "HTML('<b>' + nick + '</b>')",
        "HTML(value=nick)",
        "formatted_text.ANSI(entry.text)",
        "from prompt_toolkit import HTML as H\nH(nick)",
        "bold = HTML('<b>%s</b>')\nshown = bold % nick",
        "bold = HTML('<b>{}</b>')\nshown = bold.format(nick)",
        "print_formatted_text(topic)",
        "output.set_title(room.name)",
        "output.set_title(f'{visible(a)} {b}')",
        "output.write_raw(entry.text)",
    ],
)
def test_what_is_not_safe_is_found(source: str) -> None:
    assert list(findings(source))


@pytest.mark.parametrize(
    "source",
    [
        "HTML('<b>help</b>')",
        "ANSI('\\x1b[1m' + 'bold')",
        "output.set_title(clean_line(room.name))",
        "output.set_title(f'ipcchat {text.visible(name)}')",
        "print_formatted_text('bye')",
        "set_title",
        "'{room}'.format(room=room)",
        "html.escape(nick)",
    ],
)
def test_what_is_safe_is_let_be(source: str) -> None:
    assert not list(findings(source))
