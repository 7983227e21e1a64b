import { defaultTransport } from "./transport.js";

export { fetchTransport, wxTransport } from "./transport.js";

/** What a failed call rejects with, in `errorCode`. */
export const ErrorCode = Object.freeze({
  OK: 0,
  NOT_LOGGED_IN: 1000002,
  STREAM_ID_TOO_LONG: 1000014,
  STREAM_ID_EMPTY: 1000015,
  STREAM_ID_ILLEGAL: 1000016,
  CDN_URL_INVALID: 1000055,
  INPUT_PARAM: 1100001,
  NETWORK_TIMEOUT: 1100002,
  SERVER: 1100999,
  CDN_COMMAND: 1103052,
  NOT_PUBLISHING: 1103055,
  NO_RESPONSE: 1103063,
});

const COMMANDS = ["addpush", "delpush", "clearpush"];
const PATH = "/client/v1/publish_cdn";
const STREAM_ID_CHARS_MAX = 256;
const STREAM_ID = /^[0-9A-Za-z\-_.~!@$^*()+=,;'`]*$/;

/** The gateway's code for an address that it does not take. */
const ADDRESS_REFUSED = 5004;

/** How long one try may take, and how long there are tries, in milliseconds. */
const REQUEST_TIMEOUT = 4000;
const RETRY_FOR = 8000;

/** The pause after a try that failed at once; it doubles with every further one. */
const FIRST_PAUSE = 250;

/**
 * Asks a gateway to relay the streams of one app.
 *
 * Success means that the gateway has taken the wish, not that the CDN has taken the stream.
 */
export class PublishCdn {
  /** @param {import("./index.d.ts").PublishCdnOptions} options */
  constructor(options) {
    const given = Object.assign({}, options);
    if (typeof given.server !== "string" || !/^https?:\/\//.test(given.server)) {
      throw new TypeError("server has to be the gateway's URL, such as https://relay.example.com");
    }
    if (!Number.isInteger(given.appID) || given.appID < 1 || given.appID > 4294967295) {
      throw new TypeError("appID has to be a number from 1 to 4294967295");
    }
    this._url = given.server.replace(/\/+$/, "") + PATH;
    this._appID = given.appID;
    this._token = given.token;
    this._testPrefix = given.isTest ? "zegotest-" + given.appID + "-" : "";
    this._isLoggedIn = given.isLoggedIn || (() => true);
    this._isPublishing = given.isPublishing || (() => true);
    this._transport = given.transport || defaultTransport();
    this._requestTimeout = given.requestTimeout === undefined ? REQUEST_TIMEOUT : given.requestTimeout;
    this._retryFor = given.retryFor === undefined ? RETRY_FOR : given.retryFor;
    this._seq = 0;
    this._queues = new Map();
  }

  /**
   * Relays a stream to a further address: `(streamID, targetURL)` or `(streamID, signature, targetURL)`.
   */
  addPublishCdnUrl(...args) {
    return this._call("addpush", args);
  }

  /**
   * Ends the relay of a stream to an address: `(streamID, targetURL)` or `(streamID, signature, targetURL)`.
   */
  removePublishCdnUrl(...args) {
    return this._call("delpush", args);
  }

  /**
   * Forgets those relays of a stream that do not run: `(streamID)` or `(streamID, signature)`.
   */
  clearPublishCdnUrl(streamID, signature) {
    return this.updatePublishCdn("clearpush", streamID, "", signature);
  }

  /**
   * What the others come to: one command about one stream.
   */
  updatePublishCdn(command, streamID, targetURL, signature) {
    const mistake = this._check(command, streamID, targetURL);
    if (mistake) {
      return Promise.reject(mistake);
    }
    return this._inOrder(streamID, () => this._ask(command, streamID, targetURL, signature));
  }

  _call(command, args) {
    const hasSignature = args.length > 2;
    const targetURL = hasSignature ? args[2] : args[1];
    return this.updatePublishCdn(command, args[0], targetURL, hasSignature ? args[1] : undefined);
  }

  /** The first thing that is wrong before anything is sent. */
  _check(command, streamID, targetURL) {
    if (COMMANDS.indexOf(command) < 0) {
      return failure(ErrorCode.CDN_COMMAND, "cdn command type error");
    }
    if (typeof streamID !== "string") {
      return failure(ErrorCode.INPUT_PARAM, "stream id type error");
    }
    if (typeof targetURL !== "string") {
      return failure(ErrorCode.INPUT_PARAM, "push url error");
    }
    if (!this._isPublishing(streamID)) {
      return failure(ErrorCode.NOT_PUBLISHING, "stream is not published by this client");
    }
    if (!this._isLoggedIn()) {
      return failure(ErrorCode.NOT_LOGGED_IN, "not logged in to a room");
    }
    if (streamID === "") {
      return failure(ErrorCode.STREAM_ID_EMPTY, "stream id is empty");
    }
    if ((this._testPrefix + streamID).length > STREAM_ID_CHARS_MAX) {
      return failure(ErrorCode.STREAM_ID_TOO_LONG, "stream id is too long");
    }
    if (!STREAM_ID.test(streamID)) {
      return failure(ErrorCode.STREAM_ID_ILLEGAL, "stream id has illegal characters");
    }
    return undefined;
  }

  /** One request about a stream at a time, so that a retried one cannot undo a later one. */
  _inOrder(streamID, ask) {
    const before = this._queues.get(streamID) || Promise.resolve();
    const done = before.then(ask, ask);
    const settled = done.then(noop, noop);
    this._queues.set(streamID, settled);
    settled.then(() => {
      if (this._queues.get(streamID) === settled) {
        this._queues.delete(streamID);
      }
    });
    return done;
  }

  async _ask(command, streamID, targetURL, signature) {
    this._seq += 1;
    const token = await this._currentToken();
    const body = {
      cmd: command,
      app_id: this._appID,
      stream_id: streamID.startsWith("zegotest-") ? streamID : this._testPrefix + streamID,
      cdn_server: targetURL,
      seq: this._seq,
      timestamp: Math.ceil(Date.now() / 1000),
    };
    if (typeof signature === "string" && signature !== "") {
      body.signature = signature;
    }
    if (typeof token === "string" && token !== "") {
      body.token = token;
    }
    return judge(command, await this._send(JSON.stringify(body)));
  }

  async _currentToken() {
    if (typeof this._token !== "function") {
      return this._token;
    }
    try {
      return await this._token();
    } catch (error) {
      throw failure(ErrorCode.SERVER, "no token: " + error);
    }
  }

  /** Sends until there is an answer that is worth having, or the time is over. */
  async _send(body) {
    const began = Date.now();
    let pause = FIRST_PAUSE;
    for (;;) {
      const left = this._retryFor - (Date.now() - began);
      const outcome = await this._try(body, Math.min(this._requestTimeout, left));
      const waitsUntil = Date.now() - began + pause;
      if (!isWorthATry(outcome) || waitsUntil >= this._retryFor) {
        return outcome;
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
      pause *= 2;
    }
  }

  /** One try: an answer, or that there was none. */
  async _try(body, timeout) {
    let timer;
    const late = new Promise((resolve) => {
      timer = setTimeout(() => resolve({ status: 0, body: "" }), timeout);
    });
    const request = {
      url: this._url,
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body,
      timeout,
    };
    const answered = Promise.resolve()
      .then(() => this._transport(request))
      .catch(() => ({ status: 0, body: "" }));
    const outcome = await Promise.race([answered, late]);
    clearTimeout(timer);
    return outcome;
  }
}

function noop() {}

function failure(errorCode, extendedData) {
  return { errorCode, extendedData };
}

/** No answer, or one that asks to come again. */
function isWorthATry({ status }) {
  return status === 0 || status === 429 || status >= 500;
}

/** What the gateway's answer is to the caller: returned, or thrown. */
function judge(command, { status, body }) {
  if (status === 0) {
    throw failure(ErrorCode.NETWORK_TIMEOUT, "network timeout");
  }
  const answer = parse(body);
  if (!answer || typeof answer.code !== "number") {
    throw failure(ErrorCode.NO_RESPONSE, "no response, HTTP status " + status);
  }
  if (answer.code === 0) {
    return { errorCode: ErrorCode.OK, extendedData: "" };
  }
  const message = String(answer.message);
  if (answer.code === ADDRESS_REFUSED) {
    throw failure(ErrorCode.CDN_URL_INVALID, message);
  }
  const said = "server error cmd: " + command + " " + answer.code + " " + message;
  throw failure(ErrorCode.SERVER, said);
}

function parse(body) {
  if (typeof body !== "string") {
    return body;
  }
  try {
    return JSON.parse(body);
  } catch (error) {
    return undefined;
  }
}
