//! The part that all actions share: who calls, and whether the signature says so.

use time::OffsetDateTime;

use super::action::Action;
use super::answer::{Code, Refusal};
use super::limits::{MAX_NONCE_CHARS, TIMESTAMP_TOLERANCE_SECONDS};
use super::parameters::Parameters;
use super::signature::is_signed;
use super::{Account, Characters, Environment, Settings};

/// A request whose sender is known.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub action: Action,
    pub account: &'a Account,
    pub environment: Environment,
    /// What tells this call from any other, so far as its caller keeps to the rules.
    pub nonce: &'a str,
    /// In Unix seconds.
    pub timestamp: i64,
    /// What a `StreamId` may be made of.
    pub characters: Characters,
}

impl<'a> Call<'a> {
    /// Checks the common parameters. The first mistake in this order is the one that is answered.
    pub(super) fn check(
        parameters: &'a Parameters,
        settings: &'a Settings,
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        let action = parameters
            .filled("Action")
            .ok_or_else(|| empty(Code::ActionEmpty, "Action"))?;
        let action = Action::parse(action).ok_or_else(|| {
            Refusal::new(
                Code::ActionNotSupported,
                "this gateway does not support the Action",
            )
        })?;
        let app_id = parameters.find("AppId").and_then(app_id).ok_or_else(|| {
            Refusal::new(
                Code::AppIdFormat,
                "AppId is not a number from 1 to 4294967295",
            )
        })?;
        let timestamp_text = parameters
            .filled("Timestamp")
            .ok_or_else(|| empty(Code::TimestampEmpty, "Timestamp"))?;
        let timestamp = unix_seconds(timestamp_text).ok_or_else(|| {
            Refusal::new(
                Code::TimestampFormat,
                "Timestamp is not a number of Unix seconds",
            )
        })?;
        let nonce = parameters
            .filled("SignatureNonce")
            .ok_or_else(|| empty(Code::NonceEmpty, "SignatureNonce"))?;
        let signature = parameters
            .filled("Signature")
            .ok_or_else(|| empty(Code::SignatureEmpty, "Signature"))?;
        match parameters.filled("SignatureVersion") {
            Some("2.0") => {}
            Some(_) => {
                let why = "SignatureVersion is not 2.0";
                return Err(Refusal::new(Code::SignatureVersionNotSupported, why));
            }
            None => return Err(empty(Code::SignatureVersionEmpty, "SignatureVersion")),
        }
        let account = settings
            .accounts
            .iter()
            .find(|account| account.app_id == app_id)
            .ok_or_else(|| {
                Refusal::new(Code::UnknownApp, "no app of this gateway has the AppId")
            })?;
        if now.unix_timestamp().abs_diff(timestamp) > TIMESTAMP_TOLERANCE_SECONDS {
            let why = "Timestamp is more than 10 minutes off this gateway's clock";
            return Err(Refusal::new(Code::SignatureExpired, why));
        }
        let wrong = |why| Refusal::new(Code::SignatureWrong, why);
        if nonce.chars().count() > MAX_NONCE_CHARS {
            return Err(wrong("SignatureNonce has more than 64 characters"));
        }
        if !is_signed(
            app_id,
            nonce,
            &account.server_secret,
            timestamp_text,
            signature,
        ) {
            return Err(wrong("Signature is wrong"));
        }
        Ok(Self {
            action,
            account,
            environment: Environment::Production,
            nonce,
            timestamp,
            characters: settings.characters(),
        })
    }

    /// Checks what follows the signature: which environment is meant, and whether the app has it.
    pub(super) fn in_environment(mut self, parameters: &Parameters) -> Result<Self, Refusal> {
        self.environment = environment(parameters)?;
        is_enabled(self.account, self.environment)?;
        Ok(self)
    }
}

fn empty(code: Code, name: &str) -> Refusal {
    Refusal::new(code, format!("{name} is missing"))
}

/// Decimal digits without a leading zero.
fn app_id(text: &str) -> Option<u32> {
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    is_decimal.then(|| text.parse().ok())?
}

/// An integer; the sign is there so that an old date is expired rather than malformed.
fn unix_seconds(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_decimal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_decimal.then(|| text.parse().ok())?
}

fn environment(parameters: &Parameters) -> Result<Environment, Refusal> {
    match parameters.find("IsTest") {
        None => Ok(Environment::Production),
        Some(text) if text.eq_ignore_ascii_case("false") => Ok(Environment::Production),
        Some(text) if text.eq_ignore_ascii_case("true") => Ok(Environment::Test),
        Some(_) => Err(Refusal::new(
            Code::IsTest,
            "IsTest is neither true nor false",
        )),
    }
}

/// Whether the app has this environment.
pub(crate) fn is_enabled(account: &Account, environment: Environment) -> Result<(), Refusal> {
    let has = account.environments;
    match environment {
        _ if !has.production && !has.test => Err(Refusal::new(
            Code::NotEnabled,
            "this app is not open to this door",
        )),
        Environment::Production if !has.production => Err(Refusal::new(
            Code::NoProduction,
            "this app has no production environment",
        )),
        Environment::Test if !has.test => Err(Refusal::new(
            Code::NotEnabled,
            "this app has no test environment",
        )),
        Environment::Production | Environment::Test => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn app_ids() {
        for (text, id) in [
            ("1", Some(1)),
            ("4294967295", Some(u32::MAX)),
            ("4294967296", None),
            ("0", None),
            ("01", None),
            ("+1", None),
            ("-1", None),
            (" 1", None),
            ("", None),
        ] {
            assert_eq!(app_id(text), id, "{text}");
        }
    }

    #[test]
    fn timestamps() {
        for (text, seconds) in [
            ("1761955200", Some(1_761_955_200)),
            ("-5", Some(-5)),
            ("+5", None),
            ("1.5", None),
            ("-", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(unix_seconds(text), seconds, "{text}");
        }
    }
}
