"""Prints docs/commands.md, the `--help` of every command: python -m operate.help_page."""

from collections.abc import Iterator

import click

from operate.cli import main


def describe_commands(command: click.Command, parent: click.Context | None = None) -> Iterator[str]:
    """Yields a section for the command and for each of its subcommands, in lines of 78 characters."""
    with click.Context(command, parent, command.name, terminal_width=78, **command.context_settings) as context:
        yield f"\n## {context.command_path}\n\n```\n{command.get_help(context)}\n```\n"
        if isinstance(command, click.Group):
            for subcommand in command.commands.values():
                yield from describe_commands(subcommand, context)


def render_page() -> str:
    introduction = "# Commands\n\nThe `--help` of every command. [run.md](run.md) says when to use which.\n"
    return introduction + "".join(describe_commands(main))


if __name__ == "__main__":
    print(render_page(), end="")
