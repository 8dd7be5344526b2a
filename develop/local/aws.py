"""The stand-in for AWS: moto, limited to the services that the local service uses.

Other services of moto start containers (Lambda, Batch) or call any URL (SNS), and moto's own API deletes all data.
CloudFormation only describes the local stack: moto's would create resources of any service. Lambda only invokes the
local functions.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from xml.sax.saxutils import escape

from moto.moto_server import threaded_moto_server, werkzeug_app
from werkzeug import Request, Response
from werkzeug.serving import BaseWSGIServer, make_server

from develop.local.gateway import Invoke
from develop.local.server import Handler
from develop.template import Stack

SERVICES = {"cloudwatch", "dynamodb", "dynamodbstreams", "kms", "s3", "secretsmanager", "sqs"}
"""Moto's names."""


def serve_aws(stack: Stack, host: str, port: int, functions: Mapping[str, Invoke]) -> BaseWSGIServer:
    """`functions` by logical id; those that start later may be added later.

    Returns a server that is bound but not running: call `serve_forever` and `server_close`.
    """

    def make_service(name: Any) -> Any:
        """Makes a WSGI application."""
        if name == "cloudformation":
            return _describe_stack(stack)
        if name == "awslambda":
            return Request.application(lambda request: _invoke(stack, functions, request))
        if name in SERVICES:
            return werkzeug_app.create_backend_app(name)
        return _refuse()

    werkzeug_app.DISABLE_GLOBAL_CORS = True  # type: ignore[attr-defined] # moto reads its variable on import
    application = threaded_moto_server.DomainDispatcherApplication(make_service)  # type: ignore[attr-defined]
    return make_server(host, port, application, threaded=True, request_handler=_Handler)


class _Handler(Handler, werkzeug_app.MotoRequestHandler):
    """The methods of both."""


def _refuse() -> Response:
    return Response("The local service has no such AWS service.\n", HTTPStatus.FORBIDDEN, content_type="text/plain")


def _invoke(stack: Stack, functions: Mapping[str, Invoke], request: Request) -> Response:
    """Lambda's response to Invoke. What a function raises is a reply, too."""
    for logical_id, invoke in functions.items():
        if request.path == f"/2015-03-31/functions/{stack.physical_id(logical_id)}/invocations":
            try:
                return Response(invoke(request.data), content_type="application/json")
            except Exception as error:  # noqa: BLE001
                reply = {"errorMessage": str(error), "errorType": type(error).__name__}
                headers = {"X-Amz-Function-Error": "Unhandled"}
                return Response(json.dumps(reply), headers=headers, content_type="application/json")
    return _refuse()


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
