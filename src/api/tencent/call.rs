//! The part that all actions share: who calls, whether the signature says so, and what the parameters are.

use axum::http::Method;
use serde_json::Value;
use time::OffsetDateTime;

use super::Account;
use super::envelope::{Code, Refusal};
use super::flat;
use super::limits::{MAX_FORM_BYTES, MAX_JSON_BYTES, MAX_QUERY_BYTES, TIMESTAMP_TOLERANCE_SECONDS};
use super::model::{self, Member, Written};
use super::signature::v1::{HashMethod, Pairs};
use super::signature::{Received, tc3, v1};

/// The only version of the service that these actions have.
const VERSION: &str = "2019-10-29";

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Action {
    CreateProject,
    DescribeProjects,
    ModifyProject,
    DeleteProject,
    HandleStreamConnectProject,
    ParseEvent,
}

impl Action {
    /// Case-sensitive.
    fn parse(name: &str) -> Option<Self> {
        match name {
            "CreateProject" => Some(Self::CreateProject),
            "DescribeProjects" => Some(Self::DescribeProjects),
            "ModifyProject" => Some(Self::ModifyProject),
            "DeleteProject" => Some(Self::DeleteProject),
            "HandleStreamConnectProject" => Some(Self::HandleStreamConnectProject),
            "ParseEvent" => Some(Self::ParseEvent),
            _ => None,
        }
    }

    fn model(self) -> &'static [Member] {
        match self {
            Self::CreateProject => model::CREATE_PROJECT,
            Self::DescribeProjects => model::DESCRIBE_PROJECTS,
            Self::ModifyProject => model::MODIFY_PROJECT,
            Self::DeleteProject => model::DELETE_PROJECT,
            Self::HandleStreamConnectProject => model::HANDLE_STREAM_CONNECT_PROJECT,
            Self::ParseEvent => model::PARSE_EVENT,
        }
    }
}

/// A request whose sender is known.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub action: Action,
    pub account: &'a Account,
    parameters: Unread<'a>,
}

/// Parameters, before anybody has looked at them.
#[derive(Debug)]
enum Unread<'a> {
    Json(&'a [u8]),
    Flat(Pairs),
}

/// What a request shows for itself.
enum Shown<'a> {
    Tc3(tc3::Authorization<'a>),
    V1(Pairs),
}

impl<'a> Call<'a> {
    /// Finds out who calls. The first mistake in this order is the one that is answered.
    ///
    /// `public` are the names under which the gateway is known.
    pub fn check(
        request: Received<'a>,
        accounts: &'a [Account],
        public: &[String],
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        check_form(request)?;
        let shown = Shown::read(request)?;
        let timestamp = shown.common(request, "Timestamp", "x-tc-timestamp")?;
        let action = shown.common(request, "Action", "x-tc-action")?;
        let action = Action::parse(action).ok_or_else(|| {
            let why = "this gateway does not have this Action";
            Refusal::new(Code::InvalidAction, why)
        })?;
        if shown.common(request, "Version", "x-tc-version")? != VERSION {
            let why = format!("the Version of this service is {VERSION}");
            return Err(Refusal::new(Code::NoSuchVersion, why));
        }
        let seconds = unix_seconds(timestamp)?;
        let is_near = now.unix_timestamp().abs_diff(seconds) <= TIMESTAMP_TOLERANCE_SECONDS;
        let time = OffsetDateTime::from_unix_timestamp(seconds).ok();
        let time = time.filter(|_| is_near).ok_or_else(|| {
            let why = "the request's time is more than 5 minutes off this gateway's clock";
            Refusal::new(Code::SignatureExpire, why)
        })?;
        let account = accounts
            .iter()
            .find(|account| account.secret_id == shown.secret_id())
            .ok_or_else(|| {
                let why = "no app of this gateway has the SecretId";
                Refusal::new(Code::SecretIdNotFound, why)
            })?;
        if !shown.is_signed(request, time, account, public)? {
            let why = "the signature is wrong: check the SecretKey, and that host, content type and body are sent as signed";
            return Err(Refusal::new(Code::SignatureFailure, why));
        }
        Ok(Self {
            action,
            account,
            parameters: shown.parameters(request),
        })
    }

    /// Reads the parameters, and holds them against the action's model.
    pub fn parameters(&self) -> Result<Value, Refusal> {
        let (mut value, written) = match &self.parameters {
            Unread::Json(body) => (json(body)?, Written::Json),
            Unread::Flat(pairs) => (flat::object(pairs)?, Written::Flat),
        };
        model::check(&mut value, self.action.model(), written)?;
        Ok(value)
    }
}

/// How long a request's body may be, in bytes.
pub(super) fn most_bytes(request: Received<'_>) -> usize {
    match is_form(request) {
        true => MAX_FORM_BYTES,
        false => MAX_JSON_BYTES,
    }
}

/// Method, size and content type.
fn check_form(request: Received<'_>) -> Result<(), Refusal> {
    let is_get = request.method == Method::GET;
    if !is_get && request.method != Method::POST {
        let why = "the method is neither GET nor POST";
        return Err(Refusal::new(Code::UnsupportedProtocol, why));
    }
    if is_get && request.query().len() > MAX_QUERY_BYTES {
        return Err(too_long("query", MAX_QUERY_BYTES));
    }
    if request.body.len() > most_bytes(request) {
        return Err(too_long("body", most_bytes(request)));
    }
    if request.media_type().starts_with("multipart/") {
        let why = "none of these actions takes multipart/form-data; send application/json";
        return Err(Refusal::new(Code::UnsupportedOperation, why));
    }
    Ok(())
}

pub(super) fn too_long(what: &str, most: usize) -> Refusal {
    let why = format!("the {what} has more than {most} bytes");
    Refusal::new(Code::RequestSizeLimitExceeded, why)
}

impl<'a> Shown<'a> {
    /// An Authorization header, or the members of a v1 signature.
    fn read(request: Received<'a>) -> Result<Self, Refusal> {
        if request
            .headers
            .contains_key(axum::http::header::AUTHORIZATION)
        {
            let authorization = request.header("authorization").unwrap_or_default();
            let parsed = tc3::Authorization::parse(authorization).ok_or_else(|| {
                let why = "Authorization is not TC3-HMAC-SHA256 Credential=.../tc3_request, \
                           SignedHeaders=content-type;host, Signature=...";
                Refusal::new(Code::InvalidAuthorization, why)
            })?;
            return Ok(Self::Tc3(parsed));
        }
        let pairs = match request.method == Method::GET {
            true => flat::pairs(request.query().as_bytes()),
            false if is_form(request) => flat::pairs(request.body),
            false => Pairs::new(),
        };
        for name in ["SecretId", "Signature", "Timestamp", "Nonce"] {
            if find(&pairs, name).is_none_or(str::is_empty) {
                let why = format!("there is no Authorization header, and {name} is missing");
                return Err(Refusal::new(Code::MissingParameter, why));
            }
        }
        Ok(Self::V1(pairs))
    }

    fn secret_id(&self) -> &str {
        match self {
            Self::Tc3(authorization) => authorization.secret_id,
            Self::V1(pairs) => find(pairs, "SecretId").unwrap_or_default(),
        }
    }

    /// A parameter that all calls have: a header with TC3, one of the parameters with v1.
    fn common<'b>(
        &'b self,
        request: Received<'b>,
        name: &'static str,
        header: &'static str,
    ) -> Result<&'b str, Refusal> {
        let (found, called) = match self {
            Self::Tc3(_) => (request.header(header), format!("the header {header}")),
            Self::V1(pairs) => (find(pairs, name), name.to_owned()),
        };
        found
            .filter(|text| !text.is_empty())
            .ok_or_else(|| Refusal::new(Code::MissingParameter, format!("{called} is missing")))
    }

    fn is_signed(
        &self,
        request: Received<'_>,
        time: OffsetDateTime,
        account: &Account,
        public: &[String],
    ) -> Result<bool, Refusal> {
        let key = &account.secret_key;
        match self {
            Self::Tc3(authorization) => Ok(authorization.is_signed(request, time, key, public)),
            Self::V1(pairs) => {
                let method = HashMethod::parse(find(pairs, "SignatureMethod"));
                let method = method.ok_or_else(|| {
                    let why = "SignatureMethod is neither HmacSHA1 nor HmacSHA256";
                    Refusal::new(Code::InvalidParameterValue, why)
                })?;
                let signature = find(pairs, "Signature").unwrap_or_default();
                Ok(v1::is_signed(
                    request, pairs, method, signature, key, public,
                ))
            }
        }
    }

    fn parameters(self, request: Received<'a>) -> Unread<'a> {
        match self {
            Self::V1(pairs) => Unread::Flat(pairs),
            Self::Tc3(_) if request.method == Method::GET => {
                Unread::Flat(flat::pairs(request.query().as_bytes()))
            }
            Self::Tc3(_) => Unread::Json(request.body),
        }
    }
}

fn is_form(request: Received<'_>) -> bool {
    request.media_type() == "application/x-www-form-urlencoded"
}

/// The first of a name.
fn find<'a>(pairs: &'a Pairs, name: &str) -> Option<&'a str> {
    let mut found = pairs.iter().filter(|(found, _)| found == name);
    found.next().map(|(_, value)| value.as_str())
}

/// A number of digits; one that no time has, such as a time in milliseconds may be, is as far away as can be.
fn unix_seconds(text: &str) -> Result<i64, Refusal> {
    match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(text.parse().unwrap_or(i64::MAX)),
        false => {
            let why = "the request's time is not a number of Unix seconds";
            Err(Refusal::new(Code::InvalidParameterValue, why))
        }
    }
}

fn json(body: &[u8]) -> Result<Value, Refusal> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    // serde_json's sentence is about places and not about what stands there.
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let why = format!("the body is not JSON (line {line}, column {column})");
        Refusal::new(Code::InvalidParameter, why)
    })
}
