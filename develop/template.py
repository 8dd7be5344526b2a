"""`template.yaml` as CloudFormation sees it: translated by SAM's translator, with its values filled in."""

import logging
import re
from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.utils.py27hash_fix import to_py27_compatible_template, undo_mark_unicode_str_in_template
from samtranslator.yaml_helper import yaml_parse

from develop.environment import REGION

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "template.yaml"
ACCOUNT = "123456789012"

logging.getLogger("samtranslator").setLevel(logging.ERROR)

_ARNS = {
    "AWS::CloudWatch::Alarm": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:",
    "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/",
    "AWS::Events::Rule": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/",
    "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/",
    "AWS::KMS::Key": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/",
    "AWS::Lambda::Function": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:",
    "AWS::S3::Bucket": "arn:aws:s3:::",
    "AWS::SQS::Queue": f"arn:aws:sqs:{REGION}:{ACCOUNT}:",
    "AWS::WAFv2::WebACL": f"arn:aws:wafv2:{REGION}:{ACCOUNT}:regional/webacl/",
}


def read_source(template: Path = TEMPLATE) -> dict[str, Any]:
    """Reads a template as if its code were already uploaded."""
    source: dict[str, Any] = yaml_parse(template.read_text())
    for resource in source["Resources"].values():
        for name in ("CodeUri", "ContentUri"):
            if name in resource["Properties"]:
                resource["Properties"][name] = f"s3://local/{resource['Properties'][name]}"
    return source


def translate(source: dict[str, Any]) -> dict[str, Any]:
    """Translates a SAM template into a CloudFormation template.

    This is `transform` of SAM's translator with a fixed region: boto3 would look for one in the user's configuration.
    """
    to_py27_compatible_template(source, {})
    translator = Translator(None, Parser(), boto_session=SimpleNamespace(region_name=REGION))
    translation = translator.translate(source, {}, get_managed_policy_map=dict)  # the template names no managed policy
    return dict(undo_mark_unicode_str_in_template(translation))


@cache
def translated(template: Path = TEMPLATE) -> dict[str, Any]:
    """The CloudFormation template of a SAM template."""
    return translate(read_source(template))


class Stack:
    """A stack of a template. `parameters` override the template's defaults."""

    def __init__(self, name: str, parameters: Mapping[str, str], template: Path = TEMPLATE) -> None:
        self.name = name
        self._template = translated(template)
        defaults = {key: str(value.get("Default", "")) for key, value in self._template["Parameters"].items()}
        unknown = parameters.keys() - defaults.keys()
        if unknown:
            raise ValueError(f"the template has no such parameters: {sorted(unknown)}")
        self.parameters = {**defaults, **parameters}
        self._values = {
            **self.parameters,
            "AWS::StackName": name,
            "AWS::Region": REGION,
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
        }

    @cached_property
    def resources(self) -> dict[str, dict[str, Any]]:
        """The resources whose conditions hold, by logical id, with values filled in."""
        return {
            logical_id: self.resolve(resource)
            for logical_id, resource in self._template["Resources"].items()
            if self._exists(resource)
        }

    @cached_property
    def outputs(self) -> dict[str, str]:
        return {
            name: self.resolve(output["Value"])
            for name, output in self._template["Outputs"].items()
            if self._exists(output)
        }

    def of_type(self, resource_type: str) -> dict[str, dict[str, Any]]:
        """The properties of each resource of a type, by logical id."""
        return {
            logical_id: resource["Properties"]
            for logical_id, resource in self.resources.items()
            if resource["Type"] == resource_type
        }

    def environment(self, function: str) -> dict[str, str]:
        """The environment variables of a function, as Lambda sets them."""
        variables = self.resources[function]["Properties"]["Environment"]["Variables"]
        return {name: str(value) for name, value in variables.items()}

    def physical_id(self, logical_id: str) -> str:
        """A name that CloudFormation might give the resource. Bucket names must be in lower case."""
        name = f"{self.name}-{logical_id}"
        return name.lower() if self._template["Resources"][logical_id]["Type"] == "AWS::S3::Bucket" else name

    def resolve(self, value: Any) -> Any:  # noqa: PLR0911
        """Replaces intrinsic functions with their values."""
        if isinstance(value, list):
            return [self.resolve(item) for item in value if not self._is_no_value(item)]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (name, argument), *_ = value.items()
            match name:
                case "Ref":
                    return self._ref(argument)
                case "Fn::GetAtt":
                    return self._attribute(*(argument.split(".") if isinstance(argument, str) else argument))
                case "Fn::Sub":
                    return self._substitute(argument)
                case "Fn::Select":
                    index, items = argument
                    return self.resolve(items)[int(index)]
                case "Fn::Split":
                    separator, text = argument
                    return self.resolve(text).split(separator)
                case "Fn::If":
                    condition, then, otherwise = argument
                    return self.resolve(then if self._holds(condition) else otherwise)
        return {key: self.resolve(item) for key, item in value.items() if not self._is_no_value(item)}

    def _is_no_value(self, value: Any) -> bool:
        """AWS::NoValue, directly or as the result of a condition, removes its property or its element of a list."""
        match value:
            case {"Ref": "AWS::NoValue"}:
                return True
            case {"Fn::If": [condition, then, otherwise]}:
                return self._is_no_value(then if self._holds(condition) else otherwise)
        return False

    def _ref(self, name: str) -> str:
        if name in self._values:
            return self._values[name]
        resource = self._template["Resources"][name]
        match resource["Type"]:
            case "AWS::SQS::Queue":
                return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{self.physical_id(name)}"
            case "AWS::Lambda::Alias":
                function = resource["Properties"]["FunctionName"]["Ref"]
                return f"{self._attribute(function, 'Arn')}:{resource['Properties']['Name']}"
        return self.physical_id(name)

    def _attribute(self, logical_id: str, attribute: str) -> str:
        match attribute:
            case "QueueName":
                return self.physical_id(logical_id)
            case "Version":
                return "1"
        arn = _ARNS[self._template["Resources"][logical_id]["Type"]] + self.physical_id(logical_id)
        return {"Arn": arn, "StreamArn": f"{arn}/stream/2026-06-01T09:00:00.000"}[attribute]

    def _substitute(self, argument: Any) -> str:
        text, local = (argument, {}) if isinstance(argument, str) else argument

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name in local:
                return str(self.resolve(local[name]))
            return self._attribute(*name.split(".")) if "." in name else self._ref(name)

        return re.sub(r"\$\{([^!}]+)\}", value, text)

    def _exists(self, entry: Mapping[str, Any]) -> bool:
        return "Condition" not in entry or self._holds(entry["Condition"])

    def _holds(self, condition: str | dict[str, Any]) -> bool:
        if isinstance(condition, str):
            condition = dict(self._template["Conditions"][condition])
        ((function, argument),) = condition.items()
        match function:
            case "Condition":
                return self._holds(argument)
            case "Fn::Equals":
                left, right = (self.resolve(side) for side in argument)
                return str(left) == str(right)
            case "Fn::Not":
                return not self._holds(argument[0])
            case "Fn::Or":
                return any(self._holds(one) for one in argument)
        raise ValueError(f"conditions with {function} are not supported")
