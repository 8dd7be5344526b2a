"""Operate a deployed stack, or the local service that `make run` started."""

import click

from operate.command_line import Program, examples
from operate.commands.archive import archive
from operate.commands.evidence import evidence
from operate.commands.hold import hold
from operate.commands.keys import keys
from operate.commands.provider import provider
from operate.commands.smoke import smoke

main = Program(
    "certificates",
    commands=[archive, evidence, hold, keys, provider, smoke],
    help=__doc__,
    epilog=examples(
        "certificates archive status --local",
        "certificates keys list --stack craftkit-certificates",
        "certificates archive verify --help",
    )
    + "\n\nExit code 2: the command failed, was interrupted, or was given invalid options.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
click.version_option(package_name="craftkit-certificates", message="%(prog)s %(version)s")(main)
