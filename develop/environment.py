"""The environment of this process and its children: no user's settings of AWS, no proxy."""

import os
from typing import Final

REGION: Final = "eu-central-1"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    # boto3 would read the user's files otherwise.
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


def drop_user_settings() -> None:
    """Removes the user's AWS configuration and proxies from the environment of this process and its children."""
    for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
        del os.environ[name]
    os.environ.update(CREDENTIALS)
