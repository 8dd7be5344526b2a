"""The checks that others wrote find what would fail a deployment. `make lint` runs them on the template as it is."""

import copy
import json
import subprocess

from develop.template import ROOT, translated


def test_planted_faults_are_found() -> None:
    template = copy.deepcopy(translated())
    resources = {name: resource["Properties"] for name, resource in template["Resources"].items()}
    resources["WebAcl"]["Rules"][0]["Statement"]["RateBasedStatement"]["Limit"] = 5  # at least 10
    resources["ArchiveCertificateFunctionQueue"]["BatchSize"] = 11  # above 10 only with a batching window
    body = resources["Dashboard"]["DashboardBody"]["Fn::Sub"]
    body[0] = body[0].replace("[", "", 1)
    checked = subprocess.run(
        [ROOT / ".preflight/bin/python", ROOT / "develop/checks/preflight.py"],
        input=json.dumps(template),
        capture_output=True,
        text=True,
        check=False,
    )
    *findings, total = checked.stdout.splitlines()
    assert {tuple(finding.split()[:2]) for finding in findings} == {
        ("F3034", "WebAcl"),
        ("pf-lambda-esm-batchsize-window", "ArchiveCertificateFunctionQueue"),
        ("pf-cloudwatch-dashboard-body-json", "Dashboard"),
    }
    assert total.startswith("3 findings")
    assert checked.returncode == 1
