"""Follows the Powertools tutorials: logger, tracer, metrics, router, pydantic models, boto3 resources."""

import hashlib
import os

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError, UnauthorizedError
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.tracing import Tracer
from aws_lambda_powertools.utilities.parser import BaseModel, parse
from pydantic import Field

logger = Logger(service="certificates")
tracer = Tracer(service="certificates")
metrics = Metrics(namespace="Certificates", service="certificates")
app = APIGatewayRestResolver()

dynamodb = boto3.resource("dynamodb")
s3 = boto3.client("s3")
api_keys = dynamodb.Table(os.environ["API_KEYS_TABLE"])
signatures = dynamodb.Table(os.environ["SIGNATURES_TABLE"])


class ApiKey(BaseModel):
    key_hash: str = Field(alias="keyHash")
    project_id: str = Field(alias="projectId")
    revoked_at: str | None = Field(alias="revokedAt", default=None)


class Signature(BaseModel):
    id: str
    project_id: str = Field(alias="projectId")
    status: str
    certificate_url: str | None = Field(alias="certificateUrl", default=None)


@app.get("/v1/signatures/<signature_id>/certificate")
@tracer.capture_method(capture_response=False)
def get_certificate(signature_id: str) -> Response:
    api_key = authenticate(app.current_event.headers.get("Authorization", ""))
    signature = find_signature(signature_id)
    if signature.project_id != api_key.project_id or signature.certificate_url is None:
        raise NotFoundError("no such certificate")
    content = read_certificate(signature)
    metrics.add_metric(name="CertificatesServed", unit=MetricUnit.Count, value=1)
    logger.info("certificate served", extra={"signature_id": signature_id})
    return Response(status_code=200, content_type="application/pdf", body=content)


@tracer.capture_method
def authenticate(authorization: str) -> ApiKey:
    key_hash = hashlib.sha256(authorization.removeprefix("Bearer ").encode()).hexdigest()
    item = api_keys.get_item(Key={"keyHash": key_hash}, ConsistentRead=True).get("Item")
    if item is None:
        raise UnauthorizedError("unknown key")
    api_key = parse(event=item, model=ApiKey)
    if api_key.revoked_at is not None:
        raise UnauthorizedError("revoked key")
    return api_key


@tracer.capture_method
def find_signature(signature_id: str) -> Signature:
    item = signatures.get_item(Key={"id": signature_id}, ConsistentRead=True).get("Item")
    if item is None:
        raise NotFoundError("no such signature")
    return parse(event=item, model=Signature)


@tracer.capture_method(capture_response=False)
def read_certificate(signature: Signature) -> bytes:
    key = f"{signature.project_id}/{signature.id}.pdf"
    return s3.get_object(Bucket=os.environ["CERTIFICATES_BUCKET"], Key=key)["Body"].read()


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event, context):
    return app.resolve(event, context)
