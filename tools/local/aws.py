"""The stand-in for AWS: moto, limited to the services that the local service uses.

Other services of moto start containers (Lambda, Batch) or call any URL (SNS), and moto's own API deletes all data.
"""

import logging
from http import HTTPStatus
from typing import Any

from moto.moto_server import threaded_moto_server, werkzeug_app
from werkzeug import Response
from werkzeug.serving import BaseWSGIServer, make_server

from tools.local.guard import guard

SERVICES = {"cloudwatch", "dynamodb", "dynamodbstreams", "kms", "s3", "secretsmanager", "sqs"}
"""Moto's names."""


def serve_aws(host: str, port: int) -> BaseWSGIServer:
    """Returns a server that is bound but not running: call `serve_forever` and `server_close`."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    werkzeug_app.DISABLE_GLOBAL_CORS = True  # type: ignore[attr-defined] # moto reads its variable on import
    application = threaded_moto_server.DomainDispatcherApplication(_make_service)  # type: ignore[attr-defined]
    return make_server(host, port, guard(application), threaded=True, request_handler=werkzeug_app.MotoRequestHandler)


def _make_service(name: Any) -> Any:
    """Makes a WSGI application."""
    if name in SERVICES:
        return werkzeug_app.create_backend_app(name)
    return Response("The local service has no such AWS service.\n", HTTPStatus.FORBIDDEN, content_type="text/plain")
