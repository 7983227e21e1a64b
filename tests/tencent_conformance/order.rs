//! The order of decision.

use axum::http::Method;

use crate::call::Tc3;
use crate::{alone, code, gateway};

/// One mistake, its code, and what it changes: two that change the same cannot be made at once.
struct Mistake {
    code: &'static str,
    about: &'static str,
    make: fn(Tc3) -> Tc3,
}

#[tokio::test]
async fn of_several_mistakes_the_first_in_the_order_is_answered() {
    let mistake = |code, about, make| Mistake { code, about, make };
    let mistakes = [
        mistake("UnsupportedProtocol", "method", |call| {
            call.change(|call| call.method = Method::PUT)
        }),
        mistake(
            "AuthFailure.InvalidAuthorization",
            "authorization",
            |call| call.header("authorization", "SKIP"),
        ),
        mistake("MissingParameter", "timestamp", |call| {
            call.change(|call| call.timestamp = String::new())
        }),
        mistake("MissingParameter", "action", |call| {
            call.without("x-tc-action")
        }),
        mistake("InvalidAction", "action", |call| {
            call.header("x-tc-action", "Nothing")
        }),
        mistake("MissingParameter", "version", |call| {
            call.without("x-tc-version")
        }),
        mistake("NoSuchVersion", "version", |call| {
            call.header("x-tc-version", "1")
        }),
        mistake("AuthFailure.SignatureExpire", "timestamp", |call| {
            call.change(|call| call.timestamp = "1761950000".into())
        }),
        mistake("AuthFailure.SecretIdNotFound", "authorization", |call| {
            call.change(|call| call.secret_id = "AKIDother".into())
        }),
        mistake("AuthFailure.SignatureFailure", "key", |call| {
            call.change(|call| call.key = "other".into())
        }),
        mistake("InvalidParameter", "body", |call| {
            call.change(|call| call.body = r#"{"Limit":"1","#.into())
        }),
        mistake("InvalidParameter", "body", |call| {
            call.change(|call| call.body = r#"{"Limit":"1","Nothing":1}"#.into())
        }),
        mistake("UnknownParameter", "body", |call| {
            call.change(|call| call.body = r#"{"Limit":101,"Nothing":1}"#.into())
        }),
        mistake("MissingParameter", "body", |call| {
            call.change(|call| call.body = r#"{"Limit":101}"#.into())
        }),
        mistake("ResourceNotFound.Platform", "body", |call| {
            call.change(|call| call.body = r#"{"Limit":101,"Platform":"other"}"#.into())
        }),
        mistake("InvalidParameterValue.Limit", "body", |call| {
            call.change(|call| call.body = r#"{"Limit":101,"Platform":"test"}"#.into())
        }),
    ];
    for (at, first) in mistakes.iter().enumerate() {
        let one = (first.make)(Tc3::describe());
        assert_eq!(alone(&one).await, first.code, "{}", first.about);
        for later in &mistakes[at + 1..] {
            if later.about != first.about {
                let both = (first.make)((later.make)(Tc3::describe()));
                let found = alone(&both).await;
                assert_eq!(found, first.code, "{} and {}", first.code, later.code);
            }
        }
    }
    // The rate is behind the signature and before the body.
    let gateway = gateway();
    for _ in 0..20 {
        let call = Tc3::describe().change(|call| call.body = "{".into());
        assert_eq!(code(&gateway, call.request()).await, "InvalidParameter");
    }
    for mistake in &mistakes {
        let expected = match mistake.about {
            "body" => "RequestLimitExceeded",
            _ => mistake.code,
        };
        let call = (mistake.make)(Tc3::describe());
        assert_eq!(code(&gateway, call.request()).await, expected);
    }
}
