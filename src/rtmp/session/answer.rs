//! What stands in a server's answer, whether we publish to it or play from it?

use super::client::{Ended, Redirect, Refused};
use super::{Action, Stage, text};
use crate::rtmp::amf0::Value;
use crate::rtmp::auth::{self, Challenge, Verdict};
use crate::rtmp::command::Command;
use crate::rtmp::limits::REDIRECT_URL_BYTES_MAX;
use crate::secret::Secret;

/// What a no comes to.
pub(super) enum Denial {
    /// A refusal.
    Refused(Refused),
    /// A redirect that hides in one.
    Redirect(Redirect),
    /// The question for credentials that hides in one.
    Auth(Challenge),
}

/// Reads a no that came at this stage, with the action that its code asks for. Nothing of `name` is left in what is kept of its code.
pub(super) fn denial(command: &Command, stage: Stage, action: Action, name: &Secret) -> Denial {
    let description = text_of(command, "description").unwrap_or_default();
    let mut action = action;
    if stage == Stage::Connect {
        match auth::verdict(description) {
            Some(Verdict::Asked(challenge)) => return Denial::Auth(challenge),
            Some(Verdict::Failed) => action = Action::Permanent,
            None => {}
        }
    }
    if let Some(redirect) = redirect(command) {
        return Denial::Redirect(redirect);
    }
    Denial::Refused(Refused {
        stage,
        code: text::code(code(command), name),
        description: text::description(description).into(),
        action,
    })
}

/// Reads an end. Nothing of `name` is left in what is kept of its code.
pub(super) fn ended(command: &Command, name: &Secret) -> Ended {
    let code = Some(code(command))
        .filter(|code| !code.is_empty())
        .unwrap_or(&command.name);
    Ended {
        code: text::code(code, name),
        description: text::description(text_of(command, "description").unwrap_or_default()).into(),
    }
}

/// The status object: behind the command object where it is in its place, and in that place where a server left one out.
fn info(command: &Command) -> &Value {
    command
        .args
        .iter()
        .find(|value| value.properties().is_some())
        .unwrap_or(&command.object)
}

pub(super) fn text_of<'a>(command: &'a Command, key: &str) -> Option<&'a str> {
    info(command).property(key).and_then(Value::as_str)
}

pub(super) fn code(command: &Command) -> &str {
    text_of(command, "code").unwrap_or_default()
}

pub(super) fn level(command: &Command) -> &str {
    text_of(command, "level").unwrap_or_default()
}

/// `ex.redirect` is a tcUrl (Adobe); `ex.redirect2` a whole URL (SRS).
fn redirect(command: &Command) -> Option<Redirect> {
    let ex = info(command).property("ex")?;
    let url = |key| {
        let url = ex.property(key).and_then(Value::as_str)?;
        (!url.is_empty() && url.len() <= REDIRECT_URL_BYTES_MAX).then(|| url.to_owned())
    };
    url("redirect2")
        .map(Redirect::Url)
        .or_else(|| url("redirect").map(Redirect::TcUrl))
}

/// A stream number as it can stand in a chunk header.
pub(super) fn stream_number(number: f64) -> Option<u32> {
    let whole = number >= 0.0 && number <= f64::from(u32::MAX) && number.fract() == 0.0;
    // Checked just now.
    whole.then_some(number as u32)
}
