"""Deletes old versions of a stack's functions: python -m develop.build.old_versions CONFIG ENVIRONMENT.

Lambda keeps every version for ever, and SnapStart bills each. CONFIG is a configuration file of the SAM CLI.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from samcli.lib.config.samconfig import SamConfig

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

KEPT = 3
"""The newest versions that stay, to roll back to at once."""


def delete_old_versions(client: "LambdaClient", function: str) -> list[str]:
    """Deletes all versions but the newest and those that an alias names. Returns the deleted ones."""
    aliases = [
        alias
        for page in client.get_paginator("list_aliases").paginate(FunctionName=function)
        for alias in page["Aliases"]
    ]
    named = {alias["FunctionVersion"] for alias in aliases}
    for alias in aliases:
        named |= alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}).keys()
    pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=function)
    versions = {version["Version"] for page in pages for version in page["Versions"]} - {"$LATEST"}
    old = [version for version in sorted(versions, key=int)[:-KEPT] if version not in named]
    for version in old:
        client.delete_function(FunctionName=function, Qualifier=version)
    return old


def main(config: Path, environment: str) -> None:
    settings = SamConfig(config.parent, config.name).get_all(["deploy"], "parameters", environment)
    session = boto3.Session(profile_name=settings.get("profile"), region_name=settings.get("region"))
    pages = (
        session.client("cloudformation")
        .get_paginator("list_stack_resources")
        .paginate(StackName=settings["stack_name"])
    )
    for resource in (resource for page in pages for resource in page["StackResourceSummaries"]):
        if resource["ResourceType"] == "AWS::Lambda::Function":
            deleted = delete_old_versions(session.client("lambda"), resource["PhysicalResourceId"])
            print(f"{resource['LogicalResourceId']}: deleted {len(deleted)} old versions")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
