//! What every answer looks like. Status and content type are part of it: the vendor's SDKs read an error's code only from status 200
//! and the bare `application/json`.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::api::tries::WrongCredential;

/// The vendor's error codes that this door uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The Authorization header has another form.
    InvalidAuthorization,
    /// No app has this SecretId.
    SecretIdNotFound,
    /// The time is more than five minutes off.
    SignatureExpire,
    /// The signature is not what the app's key gives.
    SignatureFailure,
    /// Something of it is not done, or cannot be in this state.
    FailedOperation,
    /// Some of a project's outputs did not start.
    StartStreamConnectPartlyErr,
    /// A project cannot do that now.
    FailedStreamConnect,
    /// It could not be stored.
    InternalError,
    /// There is no such action here.
    InvalidAction,
    /// Body, form or type of a parameter.
    InvalidParameter,
    /// A parameter's value.
    InvalidParameterValue,
    /// `AspectRatio`.
    AspectRatio,
    /// `AspectRatioSet`.
    AspectRatioSet,
    /// `Category`.
    Category,
    /// `CategorySet`.
    CategorySet,
    /// `Limit`.
    Limit,
    /// `Name`.
    Name,
    /// `Name` is too long; the vendor's spelling.
    NameLenLimt,
    /// `Owner.Id`.
    OwnerId,
    /// `Owner.Type`.
    OwnerType,
    /// `Platform` is empty or too long.
    Platform,
    /// There is no such project.
    ProjectId,
    /// `Sort.Order`.
    SortOrder,
    /// The project lacks what it needs.
    StreamConnect,
    /// Something about an input.
    StreamConnectInputInvalid,
    /// Something about an output.
    StreamConnectOutputInvalid,
    /// There are enough.
    LimitExceeded,
    /// A parameter is missing.
    MissingParameter,
    /// `Version` is none of ours.
    NoSuchVersion,
    /// The project is another user's.
    PermissionDeny,
    /// Too often.
    RequestLimitExceeded,
    /// Too long.
    RequestSizeLimitExceeded,
    /// The app has no such platform.
    PlatformNotFound,
    /// A parameter that the action does not have.
    UnknownParameter,
    /// A form of request that these actions do not have.
    UnsupportedOperation,
    /// A method other than GET and POST.
    UnsupportedProtocol,
}

impl Code {
    /// As it goes on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidAuthorization => "AuthFailure.InvalidAuthorization",
            Self::SecretIdNotFound => "AuthFailure.SecretIdNotFound",
            Self::SignatureExpire => "AuthFailure.SignatureExpire",
            Self::SignatureFailure => "AuthFailure.SignatureFailure",
            Self::FailedOperation => "FailedOperation",
            Self::StartStreamConnectPartlyErr => "FailedOperation.StartStreamConnectPartlyErr",
            Self::FailedStreamConnect => "FailedOperation.StreamConnect",
            Self::InternalError => "InternalError",
            Self::InvalidAction => "InvalidAction",
            Self::InvalidParameter => "InvalidParameter",
            Self::InvalidParameterValue => "InvalidParameterValue",
            Self::AspectRatio => "InvalidParameterValue.AspectRatio",
            Self::AspectRatioSet => "InvalidParameterValue.AspectRatioSet",
            Self::Category => "InvalidParameterValue.Category",
            Self::CategorySet => "InvalidParameterValue.CategorySet",
            Self::Limit => "InvalidParameterValue.Limit",
            Self::Name => "InvalidParameterValue.Name",
            Self::NameLenLimt => "InvalidParameterValue.NameLenLimt",
            Self::OwnerId => "InvalidParameterValue.OwnerId",
            Self::OwnerType => "InvalidParameterValue.OwnerType",
            Self::Platform => "InvalidParameterValue.Platform",
            Self::ProjectId => "InvalidParameterValue.ProjectId",
            Self::SortOrder => "InvalidParameterValue.SortOrder",
            Self::StreamConnect => "InvalidParameterValue.StreamConnect",
            Self::StreamConnectInputInvalid => "InvalidParameterValue.StreamConnectInputInvalid",
            Self::StreamConnectOutputInvalid => "InvalidParameterValue.StreamConnectOutputInvalid",
            Self::LimitExceeded => "LimitExceeded",
            Self::MissingParameter => "MissingParameter",
            Self::NoSuchVersion => "NoSuchVersion",
            Self::PermissionDeny => "OperationDenied.PermissionDeny",
            Self::RequestLimitExceeded => "RequestLimitExceeded",
            Self::RequestSizeLimitExceeded => "RequestSizeLimitExceeded",
            Self::PlatformNotFound => "ResourceNotFound.Platform",
            Self::UnknownParameter => "UnknownParameter",
            Self::UnsupportedOperation => "UnsupportedOperation",
            Self::UnsupportedProtocol => "UnsupportedProtocol",
        }
    }
}

/// Why a call was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) struct Refusal {
    pub code: Code,
    /// A sentence for whoever reads the caller's log. No URL and no secret is in it.
    pub why: String,
}

impl Refusal {
    pub(super) fn new(code: Code, why: impl Into<String>) -> Self {
        Self {
            code,
            why: why.into(),
        }
    }
}

/// The answer to a call: the members of an action's output, or why there are none.
pub(super) fn answer(outcome: Result<Map<String, Value>, Refusal>) -> Response {
    let refused = outcome.as_ref().err().map(|refusal| refusal.code);
    let mut members = match outcome {
        Ok(members) => members,
        Err(Refusal { code, why }) => Map::from_iter([(
            "Error".to_owned(),
            json!({"Code": code.as_str(), "Message": why}),
        )]),
    };
    members.insert("RequestId".to_owned(), request_id().into());
    let json = HeaderValue::from_static("application/json");
    let text = json!({ "Response": members }).to_string();
    let mut response = ([(header::CONTENT_TYPE, json)], text).into_response();
    if matches!(
        refused,
        Some(Code::SecretIdNotFound | Code::SignatureFailure)
    ) {
        response.extensions_mut().insert(WrongCredential);
    }
    response
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
    use super::*;

    #[test]
    fn request_ids_are_uuids() {
        let id = request_id();
        assert_eq!(id.len(), 36);
        assert_eq!(id.as_bytes()[14], b'4');
        assert!(
            matches!(id.as_bytes()[19], b'8' | b'9' | b'a' | b'b'),
            "{id}"
        );
    }

    #[test]
    fn an_error_has_status_200_and_the_bare_type() {
        let response = answer(Err(Refusal::new(Code::NameLenLimt, "too long")));
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/json");
    }

    #[test]
    fn wrong_keys_and_signatures_count_as_tries() {
        for (code, counts) in [
            (Code::SecretIdNotFound, true),
            (Code::SignatureFailure, true),
            (Code::SignatureExpire, false),
            (Code::PlatformNotFound, false),
        ] {
            let response = answer(Err(Refusal::new(code, "no")));
            let tried = response.extensions().get::<WrongCredential>();
            assert_eq!(tried.is_some(), counts, "{code:?}");
        }
        let response = answer(Ok(Map::new()));
        assert!(response.extensions().get::<WrongCredential>().is_none());
    }
}
