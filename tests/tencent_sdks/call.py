"""Calls a gateway with the vendor's Python SDK: steps come in by standard input, their results go out by standard output.

python call.py ENDPOINT PROTOCOL SIGN_METHOD HTTP_METHOD, where an empty word leaves the SDK's own choice.
"""

import json
import os
import sys
import warnings

from tencentcloud.cme.v20191029 import cme_client, models
from tencentcloud.common import credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

# The SDK warns of members that its model does not have.
warnings.filterwarnings("error", message=".*useless")


def call(client, action, parameters):
    request = getattr(models, action + "Request")()
    request.from_json_string(json.dumps(parameters))
    try:
        response = getattr(client, action)(request)
    except TencentCloudSDKException as error:
        return {"Error": {"Code": error.code, "RequestId": error.requestId, "Message": error.message}}
    return json.loads(response.to_json_string())


def main():
    endpoint, protocol, sign_method, http_method = sys.argv[1:5]
    http = HttpProfile(endpoint=endpoint)
    if protocol:
        http.scheme = protocol
    if http_method:
        http.reqMethod = http_method
    profile = ClientProfile(httpProfile=http)
    if sign_method:
        profile.signMethod = sign_method
    who = credential.Credential(os.environ["SECRET_ID"], os.environ["SECRET_KEY"])
    client = cme_client.CmeClient(who, "", profile)
    project, results = None, []
    for action, parameters in json.load(sys.stdin):
        text = json.dumps(parameters).replace("$PROJECT", project or "$PROJECT")
        result = call(client, action, json.loads(text))
        project = result.get("ProjectId", project)
        results.append(result)
    json.dump(results, sys.stdout)


main()
