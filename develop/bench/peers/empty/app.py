"""Returns an empty response: the cost of the runtime alone."""


def handler(event, context):
    return {"statusCode": 204}
