"""A web framework behind an adapter."""

import hashlib
import os
from typing import Annotated

import boto3
from fastapi import Depends, FastAPI, HTTPException, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from mangum import Mangum
from pydantic import BaseModel, Field

app = FastAPI(title="Certificates")
bearer = HTTPBearer()

dynamodb = boto3.resource("dynamodb")
s3 = boto3.client("s3")
api_keys = dynamodb.Table(os.environ["API_KEYS_TABLE"])
signatures = dynamodb.Table(os.environ["SIGNATURES_TABLE"])


class ApiKey(BaseModel):
    project_id: str = Field(alias="projectId")
    revoked_at: str | None = Field(alias="revokedAt", default=None)


class Signature(BaseModel):
    id: str
    project_id: str = Field(alias="projectId")
    status: str
    certificate_url: str | None = Field(alias="certificateUrl", default=None)


def authenticate(credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> ApiKey:
    key_hash = hashlib.sha256(credentials.credentials.encode()).hexdigest()
    item = api_keys.get_item(Key={"keyHash": key_hash}, ConsistentRead=True).get("Item")
    if item is None or item.get("revokedAt"):
        raise HTTPException(status_code=401, detail="unauthorized")
    return ApiKey(**item)


@app.get("/v1/signatures/{signature_id}/certificate")
def get_certificate(signature_id: str, api_key: Annotated[ApiKey, Depends(authenticate)]) -> Response:
    item = signatures.get_item(Key={"id": signature_id}, ConsistentRead=True).get("Item")
    if item is None or item["projectId"] != api_key.project_id:
        raise HTTPException(status_code=404, detail="not found")
    signature = Signature(**item)
    if signature.certificate_url is None:
        raise HTTPException(status_code=409, detail="not available yet")
    key = f"{signature.project_id}/{signature.id}.pdf"
    content = s3.get_object(Bucket=os.environ["CERTIFICATES_BUCKET"], Key=key)["Body"].read()
    return Response(content, media_type="application/pdf")


handler = Mangum(app, lifespan="off")
