//! TC3 signatures, right and wrong.

use crate::call::{HOST, Tc3};
use crate::doors::SECRET_ID;
use crate::tencent::NOW;
use crate::{alone, code, gateway};

#[tokio::test]
async fn tc3_signatures_that_are_right() {
    let calls: Vec<(&str, Tc3)> = vec![
        ("plain", Tc3::describe()),
        (
            "more headers are signed",
            Tc3::describe().change(|call| {
                call.signed = vec!["content-type", "host", "x-tc-action", "x-tc-version"];
            }),
        ),
        (
            "a header's value in lower case, as the documents have it",
            Tc3::describe().change(|call| {
                call.signed = vec!["content-type", "host", "x-tc-action"];
                call.signed_values = vec![("x-tc-action", "describeprojects".into())];
            }),
        ),
        (
            "white space around a value",
            Tc3::describe()
                .header("content-type", "  application/json; charset=utf-8 ")
                .change(|call| {
                    let trimmed = "application/json; charset=utf-8".to_owned();
                    call.signed_values = vec![("content-type", trimmed)];
                }),
        ),
        (
            "a host with its port",
            Tc3::describe().header("host", "relay.example.com:8443"),
        ),
        (
            "a host without its port",
            Tc3::describe()
                .header("host", "relay.example.com:8443")
                .change(|call| call.signed_values = vec![("host", HOST.into())]),
        ),
        (
            "a host in capitals",
            Tc3::describe().header("host", "RELAY.Example.com"),
        ),
        (
            "a host in capitals, signed in lower case",
            Tc3::describe()
                .header("host", "RELAY.Example.com:443")
                .change(|call| call.signed_values = vec![("host", HOST.into())]),
        ),
        (
            "an IPv6 address",
            Tc3::describe()
                .header("host", "[::1]:8080")
                .change(|call| call.service = "[::1]:8080".into()),
        ),
        (
            "an IPv6 address without its port",
            Tc3::describe()
                .header("host", "[::1]:8080")
                .change(|call| call.signed_values = vec![("host", "[::1]".into())]),
        ),
        (
            "a service with a port",
            Tc3::describe()
                .header("host", "localhost:8080")
                .change(|call| call.service = "localhost:8080".into()),
        ),
        (
            "a service that is a number",
            Tc3::describe().change(|call| call.service = "127".into()),
        ),
        (
            "no blanks after the commas",
            Tc3::describe().change(|call| call.comma = ","),
        ),
        (
            "a charset in capitals",
            Tc3::describe().header("content-type", "application/json; charset=UTF-8"),
        ),
        (
            "a body that is not signed",
            Tc3::describe()
                .header("x-tc-content-sha256", "UNSIGNED-PAYLOAD")
                .change(|call| call.signed_payload = Some("UNSIGNED-PAYLOAD".into())),
        ),
        (
            "all the optional headers, the region empty",
            Tc3::describe()
                .header("x-tc-region", "")
                .header("x-tc-language", "zh-CN")
                .header("x-tc-requestclient", "SDK_JAVA_3.1")
                .header("x-tc-traceid", "5b0b")
                .header("x-tc-token", ""),
        ),
        (
            "a POST whose query is not signed",
            Tc3::describe().change(|call| call.query = "Action=CreateProject&b=1&a=2".into()),
        ),
        (
            "a GET whose query is in no order",
            Tc3::get(
                "DescribeProjects",
                "Platform=test&Limit=5&CategorySet.0=STREAM_CONNECT",
            ),
        ),
        (
            "a GET with blanks in both spellings, and a name beside the header's",
            Tc3::get(
                "DescribeProjects",
                "Platform=test&Action=DeleteProject&Owner.Type=PERSON&Owner.Id=a+b%20c%2Bd",
            ),
        ),
        (
            "escapes in either case",
            Tc3::get(
                "DescribeProjects",
                "Platform=t%65st&Owner.Type=PERSON&Owner.Id=%e6%8E%a8",
            ),
        ),
        (
            "five minutes ago, on the day before",
            Tc3::describe().change(|call| {
                (call.timestamp, call.date) = ((NOW - 300).to_string(), "2025-10-31".into());
            }),
        ),
        (
            "in five minutes",
            Tc3::describe().change(|call| call.timestamp = (NOW + 300).to_string()),
        ),
    ];
    for (what, call) in calls {
        assert_eq!(alone(&call).await, "ok", "{what}");
    }
    // Behind a proxy that puts its own name in.
    let gateway = gateway();
    let proxied = Tc3::describe()
        .header("host", "localhost:3000")
        .change(|call| call.signed_values = vec![("host", "public.example".into())]);
    let failure = "AuthFailure.SignatureFailure";
    assert_eq!(code(&gateway, proxied.request()).await, failure);
    gateway.configure(|settings| settings.tencent.public_names = vec!["public.example".into()]);
    assert_eq!(code(&gateway, proxied.request()).await, "ok");
}

#[tokio::test]
async fn tc3_signatures_that_are_wrong() {
    let failure = "AuthFailure.SignatureFailure";
    let form = "AuthFailure.InvalidAuthorization";
    let signature = |change: &dyn Fn(String) -> String| {
        let call = Tc3::describe();
        let changed = change(call.authorization());
        call.header("authorization", &changed)
    };
    let calls: Vec<(&str, Tc3, &str)> = vec![
        (
            "a header that is signed and not there",
            Tc3::describe().change(|call| {
                call.signed = vec!["content-type", "host", "x-tc-token"];
            }),
            failure,
        ),
        (
            "a signed header was changed",
            Tc3::describe().change(|call| {
                call.signed = vec!["content-type", "host", "x-tc-action"];
                call.signed_values = vec![("x-tc-action", "CreateProject".into())];
            }),
            failure,
        ),
        (
            "the content type was changed",
            Tc3::describe().change(|call| {
                let sent = "application/json; charset=utf-8".to_owned();
                call.signed_values = vec![("content-type", sent)];
            }),
            failure,
        ),
        (
            "another host",
            Tc3::describe().change(|call| {
                call.signed_values = vec![("host", "cme.tencentcloudapi.com".into())]
            }),
            failure,
        ),
        (
            "another port",
            Tc3::describe()
                .header("host", "relay.example.com:8443")
                .change(|call| {
                    call.signed_values = vec![("host", "relay.example.com:8444".into())]
                }),
            failure,
        ),
        (
            "another body",
            Tc3::describe().change(|call| call.signed_payload = Some("{}".into())),
            failure,
        ),
        (
            "a body that says to be unsigned and is signed",
            Tc3::describe().header("x-tc-content-sha256", "UNSIGNED-PAYLOAD"),
            failure,
        ),
        (
            "an unsigned body that does not say so",
            Tc3::describe().change(|call| call.signed_payload = Some("UNSIGNED-PAYLOAD".into())),
            failure,
        ),
        (
            "a sorted query that was sent unsorted",
            Tc3::get("DescribeProjects", "Platform=test&Limit=5")
                .change(|call| call.signed_query = Some("Limit=5&Platform=test".into())),
            failure,
        ),
        (
            "a query that was encoded anew",
            Tc3::get("DescribeProjects", "Platform=t%65st")
                .change(|call| call.signed_query = Some("Platform=test".into())),
            failure,
        ),
        (
            "the day before the time's",
            Tc3::describe().change(|call| call.date = "2025-10-31".into()),
            failure,
        ),
        (
            "a day that there is not",
            Tc3::describe().change(|call| call.date = "2025-11-31".into()),
            failure,
        ),
        (
            "another key",
            Tc3::describe().change(|call| call.key = "other".into()),
            failure,
        ),
        (
            "a signature in capitals",
            signature(&|text| {
                let (rest, hex) = text.rsplit_once('=').unwrap();
                format!("{rest}={}", hex.to_uppercase())
            }),
            failure,
        ),
        (
            "another service than the signed one",
            signature(&|text| text.replace("/cme/", "/cvm/")),
            failure,
        ),
        (
            "301 s ago",
            Tc3::describe().change(|call| {
                (call.timestamp, call.date) = ((NOW - 301).to_string(), "2025-10-31".into());
            }),
            "AuthFailure.SignatureExpire",
        ),
        (
            "in 301 s",
            Tc3::describe().change(|call| call.timestamp = (NOW + 301).to_string()),
            "AuthFailure.SignatureExpire",
        ),
        (
            "in milliseconds",
            Tc3::describe().change(|call| call.timestamp = (NOW * 1000).to_string()),
            "AuthFailure.SignatureExpire",
        ),
        (
            "after all times",
            Tc3::describe().change(|call| call.timestamp = "9".repeat(30)),
            "AuthFailure.SignatureExpire",
        ),
        (
            "another SecretId",
            Tc3::describe().change(|call| call.secret_id = "AKIDother".into()),
            "AuthFailure.SecretIdNotFound",
        ),
        (
            "a SecretId in another case",
            Tc3::describe().change(|call| call.secret_id = SECRET_ID.to_lowercase()),
            "AuthFailure.SecretIdNotFound",
        ),
        ("SKIP", signature(&|_| "SKIP".into()), form),
        ("empty", signature(&|_| String::new()), form),
        ("a token", signature(&|_| "Bearer t0ken".into()), form),
        (
            "no host among the signed headers",
            Tc3::describe().change(|call| call.signed = vec!["content-type"]),
            form,
        ),
        (
            "no content type among them",
            Tc3::describe().change(|call| call.signed = vec!["host", "x-tc-action"]),
            form,
        ),
        (
            "a signature that is too short",
            signature(&|text| text[..text.len() - 1].to_owned()),
            form,
        ),
        (
            "no scope",
            signature(&|text| text.replace("/tc3_request", "")),
            form,
        ),
        (
            "no service",
            signature(&|text| text.replace("/cme/", "//")),
            form,
        ),
        (
            "no SecretId",
            signature(&|text| text.replace(SECRET_ID, "")),
            form,
        ),
        (
            "another algorithm",
            signature(&|text| text.replace("SHA256", "SHA1")),
            form,
        ),
        (
            "semicolons for commas",
            signature(&|text| text.replace(", ", "; ")),
            form,
        ),
    ];
    for (what, call, expected) in calls {
        assert_eq!(alone(&call).await, expected, "{what}");
    }
}
