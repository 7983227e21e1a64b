//! The Tencent door, which is not there yet: its callers get a clear answer in their own envelope.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Status 200 and the bare content type, since the vendor's SDKs read error codes only from such an answer.
pub(super) fn not_available() -> Response {
    let body = json!({"Response": {
        "Error": {
            "Code": "UnsupportedOperation",
            "Message": "The Tencent door is not available in this version of the gateway.",
        },
        "RequestId": request_id(),
    }});
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], body.to_string()).into_response()
}

/// A random UUID (version 4) in lower case.
fn request_id() -> String {
    let mut bytes = [0_u8; 16];
    // It only tells answers apart; zeroes are a poor name for one, and no danger.
    let _ = getrandom::fill(&mut bytes);
    let number = u128::from_be_bytes(bytes);
    let number = (number & !(0xf << 76)) | (4 << 76);
    let number = (number & !(0b11 << 62)) | (0b10 << 62);
    let digits = format!("{number:032x}");
    let part = |range: std::ops::Range<usize>| digits.get(range).unwrap_or_default();
    [
        part(0..8),
        part(8..12),
        part(12..16),
        part(16..20),
        part(20..32),
    ]
    .join("-")
}

#[cfg(test)]
mod tests {
    #[test]
    fn request_ids_are_uuids() {
        let id = super::request_id();
        assert_eq!(id.len(), 36);
        assert_eq!(id.as_bytes()[14], b'4');
        assert!(
            matches!(id.as_bytes()[19], b'8' | b'9' | b'a' | b'b'),
            "{id}"
        );
    }
}
