// Calls a gateway with the vendor's Node SDK: steps come in by standard input, their results go out by standard output.
//
// node call.js ENDPOINT PROTOCOL SIGN_METHOD HTTP_METHOD, where an empty word leaves the SDK's own choice.

const path = require("node:path");
const { readFileSync } = require("node:fs");

const modules = path.join(process.env.NODE_MODULES, "tencentcloud-sdk-nodejs");
const { cme } = require(path.join(modules, "tencentcloud", "services", "cme"));

async function main() {
  const [endpoint, protocol, signMethod, reqMethod] = process.argv.slice(2);
  const httpProfile = { endpoint };
  if (protocol) httpProfile.protocol = `${protocol}://`;
  if (reqMethod) httpProfile.reqMethod = reqMethod;
  const profile = { httpProfile };
  if (signMethod) profile.signMethod = signMethod;
  const credential = { secretId: process.env.SECRET_ID, secretKey: process.env.SECRET_KEY };
  const client = new cme.v20191029.Client({ credential, region: "", profile });
  let project = "$PROJECT";
  const results = [];
  for (const [action, parameters] of JSON.parse(readFileSync(0, "utf8"))) {
    const text = JSON.stringify(parameters).replaceAll("$PROJECT", project);
    let result;
    try {
      result = await client[action](JSON.parse(text));
    } catch (error) {
      result = { Error: { Code: error.code, RequestId: error.requestId, Message: error.message } };
    }
    project = result.ProjectId ?? project;
    results.push(result);
  }
  process.stdout.write(JSON.stringify(results));
}

main();
