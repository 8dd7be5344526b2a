"""The shortest way: three boto3 calls with default settings."""

import base64
import hashlib
import json
import os

import boto3

dynamodb = boto3.client("dynamodb")
s3 = boto3.client("s3")


def handler(event, context):
    key = event["headers"].get("Authorization", "").removeprefix("Bearer ")
    key_hash = hashlib.sha256(key.encode()).hexdigest()
    api_key = dynamodb.get_item(
        TableName=os.environ["API_KEYS_TABLE"], Key={"keyHash": {"S": key_hash}}, ConsistentRead=True
    ).get("Item")
    if api_key is None or "S" in api_key.get("revokedAt", {}):
        return error(401, "unauthorized")
    signature_id = event["pathParameters"]["id"]
    signature = dynamodb.get_item(
        TableName=os.environ["SIGNATURES_TABLE"], Key={"id": {"S": signature_id}}, ConsistentRead=True
    ).get("Item")
    if signature is None or signature["projectId"] != api_key["projectId"]:
        return error(404, "not_found")
    certificate = s3.get_object(
        Bucket=os.environ["CERTIFICATES_BUCKET"], Key=f"{signature['projectId']['S']}/{signature_id}.pdf"
    )
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "application/pdf", "ETag": certificate["ETag"]},
        "body": base64.b64encode(certificate["Body"].read()).decode(),
        "isBase64Encoded": True,
    }


def error(status, code):
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({"error": {"code": code}}),
    }
