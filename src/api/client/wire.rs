//! What a client sends, and what it is told.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::api::tries::WrongCredential;
use crate::api::zego::{Action, Code, Refusal};
use crate::secret::Secret;

/// What a client wants, with what it shows for it.
#[derive(Debug)]
pub(super) struct Wish {
    pub command: Command,
    pub app_id: Option<u32>,
    pub stream_id: String,
    pub cdn_server: String,
    /// The client's number for this request; the answer has it, too.
    pub seq: u64,
    pub signature: Option<Secret>,
    /// What was signed is about this second, in Unix time.
    pub timestamp: Option<i64>,
    pub token: Option<Secret>,
}

/// What shall be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Add,
    Remove,
    Clear,
}

impl Command {
    /// As which action of the ZEGO door it is counted.
    pub(super) fn action(self) -> Action {
        match self {
            Self::Add => Action::Create,
            Self::Remove => Action::Delete,
            Self::Clear => Action::Clear,
        }
    }
}

impl Wish {
    /// Reads a JSON object. The names of the vendor's own programs for the app and the address are taken as well; members that
    /// nobody knows are left alone.
    pub(super) fn read(body: &[u8]) -> Result<Self, Refusal> {
        let object: Map<String, Value> =
            serde_json::from_slice(body).map_err(|_| invalid("the body is not a JSON object"))?;
        let text = |names: &[&str]| {
            let found = names.iter().find_map(|name| object.get(*name)?.as_str());
            found.unwrap_or_default().to_owned()
        };
        let number = |names: &[&str]| names.iter().find_map(|name| integer(object.get(*name)?));
        let secret = |name| {
            Some(text(&[name]))
                .filter(|text| !text.is_empty())
                .map(Secret::new)
        };
        let command = match text(&["cmd"]).as_str() {
            "addpush" => Command::Add,
            "delpush" => Command::Remove,
            "clearpush" => Command::Clear,
            _ => return Err(invalid("cmd is not addpush, delpush or clearpush")),
        };
        let given = ["app_id", "appid"]
            .iter()
            .find_map(|name| object.get(*name));
        let app_id = match given.filter(|app_id| !app_id.is_null()) {
            None => None,
            Some(app_id) => {
                let app_id = integer(app_id).and_then(|app_id| u32::try_from(app_id).ok());
                let app_id = app_id.filter(|app_id| *app_id > 0);
                Some(app_id.ok_or_else(|| invalid("app_id is not a number from 1 to 4294967295"))?)
            }
        };
        Ok(Self {
            command,
            app_id,
            stream_id: text(&["stream_id"]),
            cdn_server: text(&["cdn_server", "pushurl"]),
            seq: number(&["seq"])
                .and_then(|seq| seq.try_into().ok())
                .unwrap_or_default(),
            signature: secret("signature"),
            timestamp: number(&["timestamp"]),
            token: secret("token"),
        })
    }
}

fn invalid(why: &str) -> Refusal {
    Refusal::new(Code::InvalidRequest, why)
}

/// A number, which may stand in a string.
fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse().ok(),
        number => number.as_i64(),
    }
}

/// What the client is told.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    code: u32,
    message: String,
    seq: u64,
}

impl Answer {
    pub(super) fn new(seq: u64, outcome: Result<(), Refusal>) -> Self {
        let (code, message) = match outcome {
            Ok(()) => (Code::Ok, "ok".to_owned()),
            Err(refusal) => (refusal.code, refusal.why),
        };
        Self {
            code: code as u32,
            message,
            seq,
        }
    }
}

impl IntoResponse for Answer {
    /// 200 whatever became of it, but for who is to come again.
    fn into_response(self) -> Response {
        let status = match self.code == Code::ClientTooFrequent as u32 {
            true => StatusCode::TOO_MANY_REQUESTS,
            false => StatusCode::OK,
        };
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        let text = serde_json::to_string(&self).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, json)], text).into_response();
        if self.code == Code::AuthenticationFailed as u32 {
            response.extensions_mut().insert(WrongCredential);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_read() {
        let ours = br#"{"cmd":"addpush","app_id":7,"stream_id":"s","cdn_server":"rtmp://h/a/b","seq":3,"token":"04x"}"#;
        let theirs = br#"{"cmd":"delpush","appid":"7","biz_type":0,"timestamp":1761955200,"signature":"ab","seq":0,
            "version":1.6,"stream_id":"s","pushurl":"rtmp://h/a/b"}"#;
        let wish = Wish::read(ours).unwrap();
        assert_eq!(
            (wish.command, wish.app_id, wish.seq),
            (Command::Add, Some(7), 3)
        );
        assert_eq!(wish.cdn_server, "rtmp://h/a/b");
        assert!(wish.token.is_some() && wish.signature.is_none());
        let wish = Wish::read(theirs).unwrap();
        assert_eq!((wish.command, wish.app_id), (Command::Remove, Some(7)));
        assert_eq!(wish.cdn_server, "rtmp://h/a/b");
        assert_eq!(wish.timestamp, Some(1_761_955_200));
        assert!(wish.signature.is_some() && wish.token.is_none());
    }

    #[test]
    fn what_is_no_wish_is_told_so() {
        for body in [
            "",
            "[]",
            "{}",
            r#"{"cmd":"add"}"#,
            r#"{"cmd":1}"#,
            r#"{"cmd":"addpush","app_id":4294967296}"#,
            r#"{"cmd":"addpush","app_id":-1}"#,
            r#"{"cmd":"addpush","app_id":0}"#,
            r#"{"cmd":"addpush","app_id":"seven"}"#,
            r#"{"cmd":"addpush","appid":""}"#,
            r#"{"cmd":"addpush","app_id":7.5}"#,
            r#"{"cmd":"addpush","app_id":[7]}"#,
        ] {
            let refusal = Wish::read(body.as_bytes()).unwrap_err();
            assert_eq!(refusal.code, Code::InvalidRequest, "{body}");
        }
    }
}
