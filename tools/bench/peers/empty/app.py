"""Answers nothing: what the runtime alone costs."""


def handler(event, context):
    return {"statusCode": 204}
