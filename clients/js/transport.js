// How a request gets to the gateway. A transport takes `{url, method, headers, body, timeout}` and gives a promise of
// `{status, body}`; it rejects where there is no answer.

/**
 * The transport of the place where this runs: `wx.request` in a mini-program, else `fetch`.
 */
export function defaultTransport() {
  if (typeof wx !== "undefined" && wx && typeof wx.request === "function") {
    return wxTransport(wx);
  }
  if (typeof fetch === "function") {
    return fetchTransport();
  }
  throw new TypeError("there is neither wx.request nor fetch here; give a transport");
}

/**
 * By `wx.request`. The gateway's host has to be one of the mini-program's request domains.
 */
export function wxTransport(wx) {
  return ({ url, method, headers, body, timeout }) =>
    new Promise((resolve, reject) => {
      wx.request({
        url,
        method,
        header: headers,
        data: body,
        dataType: "text",
        timeout,
        success: (answer) => resolve({ status: answer.statusCode, body: answer.data }),
        fail: (error) => reject(new Error((error && error.errMsg) || "request:fail")),
      });
    });
}

/**
 * By `fetch`, this place's or another one. A page's origin has to be one of the gateway's `client_origins`.
 */
export function fetchTransport(request = (...args) => fetch(...args)) {
  return async ({ url, method, headers, body, timeout }) => {
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), timeout);
    try {
      const signal = controller.signal;
      const options = { method, headers, body, signal, credentials: "omit", cache: "no-store" };
      const answer = await request(url, options);
      return { status: answer.status, body: await answer.text() };
    } finally {
      clearTimeout(timer);
    }
  };
}
