"""`make run`: the whole service on this machine, with seeded data, until Ctrl-C."""

import argparse
import logging
import os
import shlex
import signal
import socket
import sys
import threading
from collections.abc import Callable

import boto3
from moto.server import ThreadedMotoServer

from tools.local import seeds
from tools.local.gateway import Gateway, serve
from tools.local.provider import PATH, StandInProvider
from tools.local.resources import create_resources
from tools.local.runtime import CREDENTIALS, in_process
from tools.template import Stack

STACK = "craftkit-local"


def main() -> None:
    arguments = _arguments()
    gateway_port, aws_port, provider_port = range(arguments.port, arguments.port + 3)
    for port in (gateway_port, aws_port, provider_port):
        _require_free(arguments.host, port)
    # Whoever stops it is obeyed in the same way: Ctrl-C, kill, a closed terminal.
    for sign in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, lambda *_: sys.exit(0))
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    os.environ.update(CREDENTIALS, AWS_ENDPOINT_URL=f"http://127.0.0.1:{aws_port}")

    stack = Stack(
        STACK,
        {
            "ProviderCertificateUrl": f"http://localhost:{provider_port}{PATH}",
            "ProviderAuthHeader": "Authorization: Bearer {secret}",
            "ProviderSecretName": "craftkit/provider-secret",
        },
    )
    aws = ThreadedMotoServer(arguments.host, aws_port, verbose=False)
    aws.start()
    create_resources(stack, seeds.PROVIDER_SECRET, boto3.Session())
    _seed(stack)
    provider = StandInProvider(arguments.host, provider_port, seeds.PROVIDER_SECRET, _documents())
    threading.Thread(target=provider.serve_forever, daemon=True).start()

    function = "DownloadCertificateFunction"
    invoke = in_process(stack, function, {"AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL"]})
    api = stack.resources["CertificatesApi"]["Properties"]["Body"]
    stage = next(iter(stack.of_type("AWS::ApiGateway::Stage").values()))["StageName"]
    server = serve(Gateway(api, stage, {stack.physical_id(function): invoke}), arguments.host, gateway_port)
    _announce(gateway_port, provider_port)
    try:
        server.serve_forever()
    except (KeyboardInterrupt, SystemExit):
        print("stopped", flush=True)
    finally:
        server.server_close()
        provider.server_close()
        aws.stop()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--port", type=int, default=3000, help="of the API; the next two are AWS's and the provider's")
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 lets containers in, for `sam local`")
    return parser.parse_args()


def _require_free(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            sys.exit(f"Port {port} can't be used ({error.strerror}). Choose another first port: make run PORT=4000")


def _seed(stack: Stack) -> None:
    dynamodb, s3 = boto3.client("dynamodb"), boto3.client("s3")
    for item in seeds.api_keys():
        dynamodb.put_item(TableName=stack.physical_id("ApiKeysTable"), Item=item)
    for item in seeds.signatures():
        dynamodb.put_item(TableName=stack.physical_id("SignaturesTable"), Item=item)
    for key, content in seeds.archived().items():
        s3.put_object(
            Bucket=stack.physical_id("CertificatesBucket"),
            Key=key,
            Body=content,
            ContentType="application/pdf",
            ChecksumAlgorithm="SHA256",
        )


def _documents() -> dict[str, Callable[[], bytes]]:
    return {
        "req_first": lambda: seeds.certificate("first"),
        "req_provider_html": lambda: b"<!doctype html><title>Please sign in</title>",
    }


def _announce(gateway_port: int, provider_port: int) -> None:
    for situation in seeds.SITUATIONS:
        event = seeds.event(situation.event)
        headers = {name: event["headers"].get(name) for name in ("Authorization", "Range", "If-Match", "If-None-Match")}
        output = "-o certificate.pdf" if situation.status == 200 else "-i"
        if situation.status == 206:
            output = "-D - -o /dev/null"
        options = [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in headers.items() if value]
        print(f"\n# {situation.status}  {situation.words}")
        print(" ".join(["curl -sS", output, *options, f"http://127.0.0.1:{gateway_port}{event['path']}"]))
    print("\n# the provider hangs up from now on, and answers again")
    print(f"curl -sS -X POST http://127.0.0.1:{provider_port}/stop")
    print(f"curl -sS -X POST http://127.0.0.1:{provider_port}/start")
    print("\nready", flush=True)


if __name__ == "__main__":
    main()
