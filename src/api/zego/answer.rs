//! What the door says: a code, a sentence, and a number for the request.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::api::tries::WrongCredential;
use serde_json::Value;

/// The vendor's return codes that this door uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Code {
    /// Done.
    Ok = 0,
    /// The request named a host under which this door does not answer.
    HostWrong = 100_000_000,
    /// `AppId` is missing or no number in 1..=4294967295.
    AppIdFormat = 100_000_001,
    /// `Timestamp` is missing.
    TimestampEmpty = 100_000_002,
    /// `Timestamp` is no integer.
    TimestampFormat = 100_000_003,
    /// `Timestamp` is more than ten minutes off.
    SignatureExpired = 100_000_004,
    /// `Signature` is not what the app's secret gives.
    SignatureWrong = 100_000_005,
    /// `Action` is missing.
    ActionEmpty = 100_000_006,
    /// There is no such action here.
    ActionNotSupported = 100_000_007,
    /// `SignatureNonce` is missing.
    NonceEmpty = 100_000_008,
    /// `Signature` is missing.
    SignatureEmpty = 100_000_009,
    /// No app has this `AppId`.
    UnknownApp = 100_000_010,
    /// The body of a POST is no JSON object.
    BodyUnreadable = 100_000_012,
    /// `SignatureVersion` is missing.
    SignatureVersionEmpty = 100_000_013,
    /// `SignatureVersion` is not 2.0.
    SignatureVersionNotSupported = 100_000_014,
    /// The app has no production environment.
    NoProduction = 100_000_016,
    /// The app has no test environment: to the vendor, a service that is not enabled.
    NotEnabled = 100_000_017,
    /// The gateway does not know where it can be published to.
    NoPublishNode = 1002,
    /// Nobody can play streams here.
    NoPlayNode = 1003,
    /// The rule could not be stored, or its deletion.
    Internal = 5001,
    /// What a client shows does not let it do this.
    AuthenticationFailed = 5003,
    /// The address is well-formed, but may not be called; or, for a deletion, is not well-formed.
    AddressRefused = 5004,
    /// `Sequence` is missing, no number, or not larger than the last one; or the stream has as many rules as it may.
    InvalidRequest = 5005,
    /// More calls in a second than a client's app may make.
    ClientTooFrequent = 5007,
    /// The address is not well-formed.
    AddressFormat = 30_001,
    /// More calls in a second than the vendor allows.
    TooFrequent = 30_002,
    /// A forbid, or its end, could not be stored.
    NotStored = 30_003,
    /// `IsTest` is neither `true` nor `false`.
    IsTest = 30_004,
    /// `StreamId` is missing or has a character that it cannot have.
    StreamId = 30_009,
    /// `Type` is neither `push` nor `pull`.
    DispatchType = 30_010,
    /// `ClientIP` is no IPv4 address.
    ClientIp = 30_011,
    /// Nobody has published the stream, as far as is remembered.
    StreamUnknown = 41_004,
    /// The stream was published, and is not any more.
    StreamClosed = 41_006,
}

/// Why a call was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub code: Code,
    /// A sentence for whoever reads the caller's log. No URL is in it.
    pub why: String,
    /// What is told beside the code.
    pub data: Value,
}

impl Refusal {
    pub(crate) fn new(code: Code, why: impl Into<String>) -> Self {
        Self {
            code,
            why: why.into(),
            data: Value::Null,
        }
    }

    pub(super) fn with_data(self, data: Value) -> Self {
        Self { data, ..self }
    }
}

/// The body of every answer. All four members are always there.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Answer {
    code: u32,
    message: String,
    request_id: String,
    data: Value,
}

impl From<Result<Value, Refusal>> for Answer {
    fn from(outcome: Result<Value, Refusal>) -> Self {
        let (code, message, data) = match outcome {
            Ok(data) => (Code::Ok, "ok".to_owned(), data),
            Err(Refusal { code, why, data }) => (code, why, data),
        };
        Self {
            code: code as u32,
            message,
            request_id: request_id(),
            data,
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        let text = serde_json::to_string(&self).unwrap_or_default();
        let mut response = ([(header::CONTENT_TYPE, json)], text).into_response();
        if self.code == Code::SignatureWrong as u32 || self.code == Code::UnknownApp as u32 {
            response.extensions_mut().insert(WrongCredential);
        }
        response
    }
}

/// A number for the request, in decimal digits.
fn request_id() -> String {
    random_number().to_string()
}

/// A random positive 63-bit number.
pub(super) fn random_number() -> u64 {
    let mut bytes = [0_u8; 8];
    // It only tells answers apart; 1 is a poor number for one, and no danger.
    let _ = getrandom::fill(&mut bytes);
    (u64::from_be_bytes(bytes) >> 1).max(1)
}
