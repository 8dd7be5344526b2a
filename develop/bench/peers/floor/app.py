"""Only the calls, with our client settings: what boto3 itself costs."""

import base64
import hashlib
import os
from functools import cache

import boto3
import urllib3
from botocore.config import Config

CONFIG = Config(
    connect_timeout=1,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 2},
    tcp_keepalive=True,
    user_agent="floor",
    parameter_validation=False,
)
API_KEYS, SIGNATURES = os.environ["API_KEYS_TABLE"], os.environ["SIGNATURES_TABLE"]
dynamodb = boto3.client("dynamodb", config=CONFIG)
s3 = boto3.client("s3", config=CONFIG)
provider = urllib3.PoolManager()


def handler(event, context):
    key_hash = hashlib.sha256(event["headers"]["Authorization"].removeprefix("Bearer ").encode()).hexdigest()
    signature_id = event["pathParameters"]["id"]
    wanted = {API_KEYS: {"keyHash": {"S": key_hash}}, SIGNATURES: {"id": {"S": signature_id}}}
    found = dynamodb.batch_get_item(
        RequestItems={table: {"Keys": [key], "ConsistentRead": True} for table, key in wanted.items()}
    )["Responses"]
    (item,) = found[SIGNATURES]
    certificate = {"Bucket": os.environ["CERTIFICATES_BUCKET"], "Key": f"{item['projectId']['S']}/{signature_id}.pdf"}
    try:
        content = s3.get_object(**certificate, ChecksumMode="ENABLED")["Body"].read()
    except s3.exceptions.NoSuchKey:
        url = os.environ["PROVIDER_CERTIFICATE_URL"].replace("{providerRequestId}", item["providerRequestId"]["S"])
        content = provider.request("GET", url, headers={"Authorization": f"Bearer {secret()}"}).data
        s3.put_object(**certificate, Body=content, ChecksumAlgorithm="SHA256", IfNoneMatch="*")
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "application/pdf"},
        "body": base64.b64encode(content).decode(),
        "isBase64Encoded": True,
    }


@cache
def secret():
    secrets_manager = boto3.client("secretsmanager", config=CONFIG)
    return secrets_manager.get_secret_value(SecretId=os.environ["PROVIDER_SECRET_NAME"])["SecretString"]
