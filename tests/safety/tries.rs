//! Whoever guesses credentials is not heard for a while, at whichever door it guessed, and at all of them.

use crate::doors::zego::{self, APP_ID, NOW};
use crate::doors::{Answer, Gateway, SECRET_ID, SECRET_KEY, TOKEN};
use crate::tencent::signed;
use aqueduct::api::Connection;
use aqueduct::api::client::sign;
use aqueduct::net::tries::WINDOW;
use aqueduct::secret::Secret;
use axum::body::Body;
use axum::http::Request;
use serde_json::json;

const CLIENT_SECRET: &str = "fedcba9876543210fedcba9876543210";

/// A way to show something wrong.
struct Guess {
    what: &'static str,
    request: fn() -> Request<Body>,
    /// What is in the door's own answer to it.
    says: &'static str,
}

fn get(target: &str, authorization: Option<&str>) -> Request<Body> {
    let request = Request::get(target).header("host", "localhost:8080");
    let request = match authorization {
        Some(shown) => request.header("authorization", shown),
        None => request,
    };
    request.body(Body::empty()).unwrap()
}

fn zego_target(app_id: u32, secret: &str) -> String {
    let now = NOW.to_string();
    let signature = aqueduct::api::zego::sign(app_id, "n", &Secret::new(secret), &now);
    format!(
        "/?Action=ClearCDNTransferRule&StreamId=s&Sequence=1&AppId={app_id}&SignatureNonce=n&Timestamp={now}\
         &SignatureVersion=2.0&Signature={signature}"
    )
}

fn client(more: serde_json::Value, bearer: Option<&str>) -> Request<Body> {
    let mut wish = json!({"cmd": "clearpush", "app_id": APP_ID, "stream_id": "s"});
    let members = wish.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    let request = Request::post("/client/v1/publish_cdn")
        .header("host", "localhost:8080")
        .header("content-type", "application/json");
    let request = match bearer {
        Some(secret) => request.header("authorization", format!("Bearer {secret}")),
        None => request,
    };
    request.body(wish.to_string().into()).unwrap()
}

const GUESSES: &[Guess] = &[
    Guess {
        what: "the token",
        request: || get("/v1/rules", Some("Bearer wrong")),
        says: "\"status\":401",
    },
    Guess {
        what: "the token of events, in the query",
        request: || get("/v1/events?access_token=wrong", None),
        says: "\"status\":401",
    },
    Guess {
        what: "the token of metrics",
        request: || get("/metrics", Some("Bearer wrong")),
        says: "\"status\":401",
    },
    Guess {
        what: "the token of the description",
        request: || get("/openapi.json", Some("Bearer wrong")),
        says: "\"status\":401",
    },
    Guess {
        what: "a ZEGO signature",
        request: || get(&zego_target(APP_ID, "wrong"), None),
        says: "\"Code\":100000005",
    },
    Guess {
        what: "a ZEGO app",
        request: || get(&zego_target(7, zego::SECRET), None),
        says: "\"Code\":100000010",
    },
    Guess {
        what: "a client's secret",
        request: || client(json!({}), Some("wrong")),
        says: "\"code\":5003",
    },
    Guess {
        what: "a client's signature",
        request: || client(json!({"timestamp": NOW, "signature": "0".repeat(32)}), None),
        says: "\"code\":5003",
    },
    Guess {
        what: "a client's login token",
        request: || client(json!({"token": "04AAAA"}), None),
        says: "\"code\":5003",
    },
    Guess {
        what: "a TC3 signature",
        request: || signed(SECRET_ID, "wrong", "DescribeProjects", "{}", NOW),
        says: "AuthFailure.SignatureFailure",
    },
    Guess {
        what: "a SecretId",
        request: || signed("wrong", SECRET_KEY, "DescribeProjects", "{}", NOW),
        says: "AuthFailure.SecretIdNotFound",
    },
    Guess {
        what: "a v1 signature",
        request: || {
            let target = format!(
                "/?Action=DescribeProjects&Version=2019-10-29&SecretId={SECRET_ID}&Timestamp={NOW}&Nonce=1&Signature=d3Jvbmc%3D"
            );
            get(&target, None)
        },
        says: "AuthFailure.SignatureFailure",
    },
];

/// A request of each door's that is right.
const RIGHT: &[fn() -> Request<Body>] = &[
    || get("/v1/rules", Some(&format!("Bearer {TOKEN}"))),
    || get(&format!("/v1/events?access_token={TOKEN}"), None),
    || get(&zego_target(APP_ID, zego::SECRET), None),
    || {
        let signature = sign(APP_ID, NOW, &Secret::new(CLIENT_SECRET));
        client(json!({"timestamp": NOW, "signature": signature}), None)
    },
    || {
        signed(
            SECRET_ID,
            SECRET_KEY,
            "DescribeProjects",
            r#"{"Platform":"test"}"#,
            NOW,
        )
    },
];

async fn send(gateway: &Gateway, from: &str, mut request: Request<Body>) -> Answer {
    request.extensions_mut().insert(Connection {
        remote: from.parse().unwrap(),
        local: "192.0.2.9:8080".parse().unwrap(),
        beyond_loopback: true,
    });
    gateway.send(request).await
}

fn gateway() -> Gateway {
    let gateway = Gateway::new();
    gateway.configure(|settings| {
        settings.zego.accounts[0].client_secret = Some(Secret::new(CLIENT_SECRET));
    });
    gateway.clock.set_ms(NOW * 1000);
    // Events would have no end.
    gateway.metrics.feed().close();
    gateway
}

#[tokio::test(start_paused = true)]
async fn three_wrong_ones_and_no_door_hears_the_address() {
    let (guesser, again, other) = ("192.0.2.1:1000", "192.0.2.1:2000", "192.0.2.2:1000");
    for guess in GUESSES {
        let gateway = gateway();
        gateway.tries.limit(3);
        for _ in 0..3 {
            let answer = send(&gateway, guesser, (guess.request)()).await;
            assert!(
                answer.text.contains(guess.says),
                "{}: {}",
                guess.what,
                answer.text
            );
        }
        let answer = send(&gateway, again, (guess.request)()).await;
        answer.assert_problem(429);
        let seconds: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=WINDOW.as_secs()).contains(&seconds), "{seconds}");
        for right in RIGHT {
            send(&gateway, again, right()).await.assert_problem(429);
            assert_eq!(
                send(&gateway, other, right()).await.status,
                200,
                "{}",
                guess.what
            );
        }
        assert_eq!(
            send(&gateway, again, get("/healthz", None)).await.status,
            200
        );
        tokio::time::advance(WINDOW).await;
        for right in RIGHT {
            let answer = send(&gateway, again, right()).await;
            assert_eq!(answer.status, 200, "{}: {}", guess.what, answer.text);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_is_right_is_heard_however_often_it_asks() {
    let gateway = gateway();
    gateway.tries.limit(1);
    for _ in 0..3 {
        for right in RIGHT {
            let answer = send(&gateway, "192.0.2.1:1000", right()).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
        }
    }
    // What is wrong in another way is no guess.
    let malformed = [
        get("/?Action=CreatCDNTransferRule&AppId=x", None),
        get("/?Version=2019-10-29", None),
        client(json!({"cmd": "none"}), None),
        get("/v1/rules?limit=x", Some(&format!("Bearer {TOKEN}"))),
        get("/nothing", None),
    ];
    for request in malformed {
        let answer = send(&gateway, "192.0.2.1:1000", request).await;
        assert_ne!(answer.status, 429, "{}", answer.text);
    }
    let right = RIGHT[0]();
    assert_eq!(send(&gateway, "192.0.2.1:1000", right).await.status, 200);
}
