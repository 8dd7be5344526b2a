"""The operator's commands, on a deployed stack or on the one that `make run` started."""

from tools.operate.archive import archive
from tools.operate.failures import Commands
from tools.operate.keys import keys
from tools.operate.provider import provider
from tools.operate.smoke import smoke

main = Commands(
    "tools",
    commands=[archive, keys, provider, smoke],
    help=__doc__,
    epilog="Exit code 2 says that a command could not do its work; 130 that it was interrupted.",
    context_settings={"help_option_names": ["-h", "--help"]},
)

if __name__ == "__main__":
    main()
