"""The stand-in for AWS: moto, limited to the services that the local service uses.

Other services of moto start containers (Lambda, Batch) or call any URL (SNS), and moto's own API deletes all data.
CloudFormation only describes the local stack: moto's would create resources of any service.
"""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from xml.sax.saxutils import escape

from moto.moto_server import threaded_moto_server, werkzeug_app
from werkzeug import Response
from werkzeug.serving import BaseWSGIServer, make_server

from tools.local.guard import guard
from tools.template import Stack

SERVICES = {"cloudwatch", "dynamodb", "dynamodbstreams", "kms", "s3", "secretsmanager", "sqs"}
"""Moto's names."""


def serve_aws(stack: Stack, host: str, port: int) -> BaseWSGIServer:
    """Returns a server that is bound but not running: call `serve_forever` and `server_close`."""

    def make_service(name: Any) -> Any:
        """Makes a WSGI application."""
        if name == "cloudformation":
            return _describe_stack(stack)
        if name in SERVICES:
            return werkzeug_app.create_backend_app(name)
        return Response("The local service has no such AWS service.\n", HTTPStatus.FORBIDDEN, content_type="text/plain")

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    werkzeug_app.DISABLE_GLOBAL_CORS = True  # type: ignore[attr-defined] # moto reads its variable on import
    application = threaded_moto_server.DomainDispatcherApplication(make_service)  # type: ignore[attr-defined]
    return make_server(host, port, guard(application), threaded=True, request_handler=werkzeug_app.MotoRequestHandler)


def _describe_stack(stack: Stack) -> Response:
    """CloudFormation's response to DescribeStacks, whatever was asked."""
    parts = f"<StackName>{stack.name}</StackName>"
    parts += f"<Parameters>{_list_members('Parameter', stack.parameters)}</Parameters>"
    parts += f"<Outputs>{_list_members('Output', stack.outputs)}</Outputs>"
    result = f"<DescribeStacksResult><Stacks><member>{parts}</member></Stacks></DescribeStacksResult>"
    return Response(f"<DescribeStacksResponse>{result}</DescribeStacksResponse>", content_type="text/xml")


def _list_members(kind: str, values: Mapping[str, str]) -> str:
    return "".join(
        f"<member><{kind}Key>{key}</{kind}Key><{kind}Value>{escape(value)}</{kind}Value></member>"
        for key, value in values.items()
    )
