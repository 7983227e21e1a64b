/** What a call resolves with when the gateway has taken the wish, and rejects with when it has not. */
export interface PublishCdnResult {
  /** 0, or one of {@link ErrorCode}. */
  errorCode: number;
  /** Empty, or more about the error. */
  extendedData: string;
}

/** What goes out. */
export interface TransportRequest {
  url: string;
  method: "POST";
  headers: Record<string, string>;
  /** JSON. */
  body: string;
  /** How long the answer may take, in milliseconds. */
  timeout: number;
}

/** What comes back. */
export interface TransportAnswer {
  /** The HTTP status. */
  status: number;
  /** JSON as text, or what was made of it. */
  body: unknown;
}

/** Sends one request; rejects where there is no answer. */
export type Transport = (request: TransportRequest) => Promise<TransportAnswer>;

export interface PublishCdnOptions {
  /** The gateway's URL, such as `https://relay.example.com`. */
  server: string;
  /** The app's number: `app_id` in the gateway's configuration. */
  appID: number;
  /** The login token (version 04) of this user, or where to get one, for calls without a signature. */
  token?: string | (() => string | Promise<string>);
  /** Whether streams belong to the test environment: `zegotest-<appID>-` is put in front of their names. Default: false. */
  isTest?: boolean;
  /** Whether this client is in a room. Default: it is. */
  isLoggedIn?: () => boolean;
  /** Whether this client publishes the stream. Default: it does. */
  isPublishing?: (streamID: string) => boolean;
  /** How requests are sent. Default: `wx.request` where there is one, else `fetch`. */
  transport?: Transport;
  /** How long one try may take, in milliseconds. Default: 4000. */
  requestTimeout?: number;
  /** How long there are tries, in milliseconds. Default: 8000. */
  retryFor?: number;
}

/** Asks a gateway to relay the streams of one app. */
export class PublishCdn {
  /** @throws TypeError where an option is missing or wrong. */
  constructor(options: PublishCdnOptions);

  /** Relays a stream to a further address. */
  addPublishCdnUrl(streamID: string, targetURL: string): Promise<PublishCdnResult>;
  addPublishCdnUrl(streamID: string, signature: string, targetURL: string): Promise<PublishCdnResult>;

  /** Ends the relay of a stream to an address. */
  removePublishCdnUrl(streamID: string, targetURL: string): Promise<PublishCdnResult>;
  removePublishCdnUrl(streamID: string, signature: string, targetURL: string): Promise<PublishCdnResult>;

  /** Forgets those relays of a stream that do not run. */
  clearPublishCdnUrl(streamID: string, signature?: string): Promise<PublishCdnResult>;

  /** What the others come to: one command about one stream. */
  updatePublishCdn(
    command: "addpush" | "delpush" | "clearpush",
    streamID: string,
    targetURL: string,
    signature?: string,
  ): Promise<PublishCdnResult>;
}

/** What a failed call rejects with, in `errorCode`. */
export const ErrorCode: {
  readonly OK: 0;
  readonly NOT_LOGGED_IN: 1000002;
  readonly STREAM_ID_TOO_LONG: 1000014;
  readonly STREAM_ID_EMPTY: 1000015;
  readonly STREAM_ID_ILLEGAL: 1000016;
  readonly CDN_URL_INVALID: 1000055;
  readonly INPUT_PARAM: 1100001;
  readonly NETWORK_TIMEOUT: 1100002;
  readonly SERVER: 1100999;
  readonly CDN_COMMAND: 1103052;
  readonly NOT_PUBLISHING: 1103055;
  readonly NO_RESPONSE: 1103063;
};

/** A transport by a mini-program's `wx`. */
export function wxTransport(wx: { request(options: object): unknown }): Transport;

/** A transport by `fetch`, this place's or another one. */
export function fetchTransport(request?: typeof fetch): Transport;
