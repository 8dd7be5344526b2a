"""Checks a translated template with AWS's validator and with cdk-preflight's rules for what fails in a deployment.

Reads the template from standard input. Runs in an environment of its own: see `.preflight/ready` in the Makefile.
"""

import json
import sys
import tarfile
from importlib.metadata import files
from typing import Any

from cloudformation_validate import (
    CompositeEngine,
    CompositeEngineConfig,
    ExternalRuleSource,
    RuleFilterConfig,
    Severity,
    TemplateContent,
    ValidateConfig,
)

# Values for the parameters without usable defaults, so that every resource is checked as it would be deployed.
PARAMETERS = {
    "ProviderCertificateUrl": "https://api.example.com/v1/requests/{providerRequestId}/certificate",
    "ProviderAuthHeader": "Authorization: Bearer {secret}",
    "ProviderSecretName": "craftkit/provider-api-key",
    "ProviderTokenUrl": "https://account.example.com/oauth/token",
    "ProviderOAuthSecretName": "craftkit/provider-oauth",
    "ProviderSigningKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "ExistingKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "DomainName": "api.example.com",
    "ReplicaBucketArn": "arn:aws:s3:::certificates-replica",
    "ReplicaKmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "WafRequestsPerAddress": "1000",
    "AlarmEmail": "alarms@example.com",
}
IGNORED = [
    "W1001",  # the outputs refer to the tables only under the condition that creates them
    "W1030",  # WafRequestsPerAddress is 0 by default, which creates no web ACL
    "W2509",  # ProviderSecretName is a name, not a secret
    "pf-s3-replication-rtc-needs-metrics",  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/repl-metrics.html
    "W3011",  # the translator keeps old versions. For our data: tests/service/template/test_data.py
]


def read_preflight_rules(template: dict[str, Any]) -> list[ExternalRuleSource]:
    """Reads the rules for the template's types of resources from the npm package inside the wheel."""
    archive = next(file for file in files("cdk-preflight") or () if file.suffix == ".tgz")
    with tarfile.open(archive.locate()) as package:
        text = package.extractfile("package/lib/rules.generated.js").read().decode()  # type: ignore[union-attr]

    def read_array(name: str) -> Any:
        return json.JSONDecoder().raw_decode("[" + text.partition(f"exports.{name} = [")[2])[0]

    types = {"*", *(resource["Type"] for resource in template["Resources"].values())}
    rules = [(rule["id"], rule["rego"]) for rule in read_array("BUNDLED_RULES") if types & set(rule["resourceTypes"])]
    libraries = [(library["name"], library["rego"]) for library in read_array("BUNDLED_LIBS")]
    return [ExternalRuleSource(name=name, content=content) for name, content in libraries + rules]


def main() -> None:
    template = json.load(sys.stdin)
    # The rules skip a text with placeholders. The variables of Fn::Sub hold more alarms of the list, or nothing.
    if dashboard := template["Resources"].get("Dashboard"):
        body, further = dashboard["Properties"]["DashboardBody"]["Fn::Sub"]
        for name in further:
            body = body.replace(f"${{{name}}}", "")
        dashboard["Properties"]["DashboardBody"] = body.replace("${", "{")
    rules = read_preflight_rules(template)
    report = CompositeEngine(CompositeEngineConfig(rego_rules=rules)).validate_template(
        TemplateContent(json.dumps(template)),
        ValidateConfig(
            severity_level=Severity.WARN, exclude=RuleFilterConfig(ids=IGNORED), parameter_overrides=PARAMETERS
        ),
    )
    for finding in report.diagnostics:
        print(finding.rule_id, finding.entity.logical_id if finding.entity else "-", finding.message)
    print(f"{len(report.diagnostics)} findings of AWS's validator and {len(rules)} modules of cdk-preflight")
    sys.exit(bool(report.diagnostics))


if __name__ == "__main__":
    main()
