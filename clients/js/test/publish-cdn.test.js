import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { ErrorCode, PublishCdn, wxTransport } from "../index.js";

const URL = "rtmp://cdn.example.com/app/s";
const OK = { errorCode: 0, extendedData: "" };

/** A client whose transport keeps what was sent, and answers from a list. */
function client(answers, options) {
  const sent = [];
  const transport = async (request) => {
    sent.push({ ...request, body: JSON.parse(request.body) });
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer instanceof Error) {
      throw answer;
    }
    return typeof answer === "function" ? answer() : answer;
  };
  const made = new PublishCdn({
    server: "https://relay.example.com/",
    appID: 1234567890,
    token: "04token",
    transport,
    ...options,
  });
  return { client: made, sent };
}

function answer(code, message = "ok", status = 200) {
  return { status, body: JSON.stringify({ code, message, seq: 1 }) };
}

async function failureOf(promise) {
  try {
    await promise;
  } catch (failure) {
    return failure;
  }
  throw new Error("it did not fail");
}

afterEach(() => {
  delete globalThis.wx;
});

test("two and three arguments", async () => {
  const { client: it, sent } = client([answer(0)]);
  assert.deepEqual(await it.addPublishCdnUrl("s", URL), OK);
  assert.deepEqual(await it.addPublishCdnUrl("s", "5189", URL), OK);
  assert.deepEqual(await it.removePublishCdnUrl("s", URL), OK);
  assert.deepEqual(await it.removePublishCdnUrl("s", "", URL), OK);
  assert.deepEqual(await it.clearPublishCdnUrl("s"), OK);
  assert.deepEqual(await it.clearPublishCdnUrl("s", "5189"), OK);
  const bodies = sent.map(({ body }) => body);
  assert.deepEqual(
    bodies.map(({ cmd, cdn_server, signature }) => [cmd, cdn_server, signature]),
    [
      ["addpush", URL, undefined],
      ["addpush", URL, "5189"],
      ["delpush", URL, undefined],
      ["delpush", URL, undefined],
      ["clearpush", "", undefined],
      ["clearpush", "", "5189"],
    ],
  );
  assert.deepEqual(bodies.map(({ seq }) => seq), [1, 2, 3, 4, 5, 6]);
  assert.ok(bodies.every(({ app_id, stream_id, token }) => app_id === 1234567890 && stream_id === "s" && token === "04token"));
  assert.ok(bodies.every(({ timestamp }) => Math.abs(timestamp - Date.now() / 1000) < 60));
  assert.equal(sent[0].url, "https://relay.example.com/client/v1/publish_cdn");
  assert.equal(sent[0].headers["Content-Type"], "application/json");
});

test("the first local mistake is told, and nothing is sent", async () => {
  const { client: it, sent } = client([answer(0)], {
    isPublishing: (streamID) => streamID !== "foreign",
    isLoggedIn: () => false,
  });
  const long = "a".repeat(257);
  for (const [call, code, data] of [
    [it.updatePublishCdn("push", 1, 1), 1103052, "cdn command type error"],
    [it.addPublishCdnUrl(1, 1), 1100001, "stream id type error"],
    [it.addPublishCdnUrl(undefined, URL), 1100001, "stream id type error"],
    [it.addPublishCdnUrl("foreign"), 1100001, "push url error"],
    [it.addPublishCdnUrl("foreign", "signature", undefined), 1100001, "push url error"],
    [it.removePublishCdnUrl("foreign", URL), 1103055, "stream is not published by this client"],
    [it.removePublishCdnUrl(long, URL), 1000002, "not logged in to a room"],
  ]) {
    assert.deepEqual(await failureOf(call), { errorCode: code, extendedData: data });
  }
  const { client: inRoom } = client([answer(0)]);
  for (const [streamID, code] of [
    ["", ErrorCode.STREAM_ID_EMPTY],
    [long, ErrorCode.STREAM_ID_TOO_LONG],
    ["a/b", ErrorCode.STREAM_ID_ILLEGAL],
    ["a b", ErrorCode.STREAM_ID_ILLEGAL],
  ]) {
    assert.equal((await failureOf(inRoom.addPublishCdnUrl(streamID, URL))).errorCode, code, streamID);
  }
  assert.equal(sent.length, 0);
});

test("answers of the gateway", async () => {
  for (const [answered, failure] of [
    [answer(5004, "refused"), { errorCode: 1000055, extendedData: "refused" }],
    [answer(5003, "wrong"), { errorCode: 1100999, extendedData: "server error cmd: addpush 5003 wrong" }],
    [{ status: 403, body: "{}" }, { errorCode: 1103063, extendedData: "no response, HTTP status 403" }],
    [{ status: 200, body: "<html>" }, { errorCode: 1103063, extendedData: "no response, HTTP status 200" }],
  ]) {
    const { client: it, sent } = client([answered]);
    assert.deepEqual(await failureOf(it.addPublishCdnUrl("s", URL)), failure);
    assert.equal(sent.length, 1);
  }
});

test("what may pass by itself is tried again, with the same number", async () => {
  const broken = new Error("connection refused");
  const { client: it, sent } = client([broken, answer(5007, "slow", 429), { status: 503, body: "" }, answer(0)]);
  assert.deepEqual(await it.addPublishCdnUrl("s", URL), OK);
  assert.deepEqual(sent.map(({ body }) => body.seq), [1, 1, 1, 1]);
});

test("after a while it is given up", async () => {
  const times = { requestTimeout: 60, retryFor: 3000 };
  const never = () => new Promise(() => {});
  for (const [answered, failure] of [
    [never, { errorCode: 1100002, extendedData: "network timeout" }],
    [new Error("refused"), { errorCode: 1100002, extendedData: "network timeout" }],
    [answer(5007, "slow", 429), { errorCode: 1100999, extendedData: "server error cmd: addpush 5007 slow" }],
    [{ status: 502, body: "" }, { errorCode: 1103063, extendedData: "no response, HTTP status 502" }],
  ]) {
    const { client: it, sent } = client([answered], times);
    assert.deepEqual(await failureOf(it.addPublishCdnUrl("s", URL)), failure);
    assert.ok(sent.length > 1 && sent.length < 6, failure.extendedData + ": " + sent.length);
    assert.ok(sent.every(({ timeout }) => timeout <= 60));
  }
});

test("calls about one stream go one after the other, those about others do not wait", async () => {
  let release;
  const held = new Promise((resolve) => (release = resolve));
  const { client: it, sent } = client([() => held, answer(0)]);
  const first = it.addPublishCdnUrl("s", URL);
  const second = it.removePublishCdnUrl("s", URL);
  await it.addPublishCdnUrl("other", URL);
  assert.deepEqual(sent.map(({ body }) => [body.cmd, body.stream_id]), [["addpush", "s"], ["addpush", "other"]]);
  release(answer(5003, "no"));
  assert.equal((await failureOf(first)).errorCode, 1100999);
  assert.deepEqual(await second, OK);
  assert.equal(sent.length, 3);
});

test("the test environment has its prefix", async () => {
  const { client: it, sent } = client([answer(0)], { isTest: true });
  await it.addPublishCdnUrl("s", URL);
  await it.addPublishCdnUrl("zegotest-1234567890-s", URL);
  assert.deepEqual(sent.map(({ body }) => body.stream_id), ["zegotest-1234567890-s", "zegotest-1234567890-s"]);
});

test("a token may be fetched for each call", async () => {
  let count = 0;
  const { client: it, sent } = client([answer(0)], { token: async () => "04" + ++count });
  await it.addPublishCdnUrl("s", URL);
  await it.addPublishCdnUrl("s", URL);
  assert.deepEqual(sent.map(({ body }) => body.token), ["041", "042"]);
  const { client: without } = client([answer(0)], { token: () => Promise.reject(new Error("no")) });
  assert.equal((await failureOf(without.addPublishCdnUrl("s", URL))).errorCode, 1100999);
});

test("options that cannot be are told at once", () => {
  for (const options of [
    {},
    { server: "relay.example.com", appID: 1 },
    { server: "https://relay.example.com" },
    { server: "https://relay.example.com", appID: 0 },
    { server: "https://relay.example.com", appID: "1" },
  ]) {
    assert.throws(() => new PublishCdn(options), TypeError);
  }
});

/** What a mini-program has: `wx.request`, and neither fetch nor a document. */
function stubWx(reply) {
  const requests = [];
  return {
    requests,
    request(options) {
      requests.push(options);
      setTimeout(() => reply(options), 0);
      return { abort() {} };
    },
  };
}

test("a mini-program's wx.request is used where there is one", async () => {
  const wx = stubWx(({ success }) => success({ statusCode: 200, data: '{"code":0}', header: {}, errMsg: "request:ok" }));
  globalThis.wx = wx;
  const it = new PublishCdn({ server: "https://relay.example.com", appID: 7 });
  assert.deepEqual(await it.addPublishCdnUrl("s", URL), OK);
  const [request] = wx.requests;
  assert.equal(request.url, "https://relay.example.com/client/v1/publish_cdn");
  assert.equal(request.method, "POST");
  assert.equal(request.header["Content-Type"], "application/json");
  assert.equal(JSON.parse(request.data).cdn_server, URL);
  assert.ok(request.timeout <= 4000);
});

test("what wx.request parsed by itself is taken as well, and its failures are tried again", async () => {
  let calls = 0;
  const wx = stubWx(({ success, fail }) => {
    calls += 1;
    return calls === 1 ? fail({ errMsg: "request:fail timeout" }) : success({ statusCode: 200, data: { code: 5004, message: "no" } });
  });
  const it = new PublishCdn({ server: "https://relay.example.com", appID: 7, transport: wxTransport(wx) });
  assert.deepEqual(await failureOf(it.addPublishCdnUrl("s", URL)), { errorCode: 1000055, extendedData: "no" });
  assert.equal(calls, 2);
});

test("elsewhere it is fetch", async () => {
  const before = globalThis.fetch;
  const seen = [];
  globalThis.fetch = async (url, options) => {
    seen.push([url, options.method, options.credentials]);
    return new Response('{"code":0}');
  };
  try {
    const it = new PublishCdn({ server: "http://localhost:8080", appID: 7 });
    assert.deepEqual(await it.clearPublishCdnUrl("s"), OK);
  } finally {
    globalThis.fetch = before;
  }
  assert.deepEqual(seen, [["http://localhost:8080/client/v1/publish_cdn", "POST", "omit"]]);
});
