//! What a rule is: which streams it wants, which target it names, and how the two are matched. And what an input is: what a
//! stream is fed from.
//!
//! Pure values. Text from outside is parsed here, once; who holds one of these types can trust it.

mod anchor;
mod cdn_auth;
mod input;
mod keys;
mod matching;
mod pattern;
pub mod project;
mod signed;
mod source_url;
mod template;
mod url;
mod wish;

pub use cdn_auth::{
    AUTH_TEXT_BYTES_MAX, AuthKey, CdnAuth, DomainAuth, Formula, HexCase, Moment, Template,
    TemplateMistake, TemplatePart,
};
pub use input::{
    FILES_MAX, Files, Input, InputError, Loops, PUSH_SECONDS_MAX, Push, PushRefused, Source,
    SourceKind,
};
pub use keys::{
    APP_NAME_BYTES_MAX, AppName, KeyError, STREAM_NAME_BYTES_MAX, StreamKey, StreamName,
};
pub use matching::{Place, RuleSet, Shelf};
pub use pattern::StreamPattern;
pub use signed::{SignatureFault, check_signed, signed_query};
pub use source_url::{FilePlace, FileType, FileUrl, HttpUrl, PullUrl, SourceUrlError};
pub use template::{TemplateError, UrlTemplate};
pub use url::{APP_BYTES_MAX, NAME_BYTES_MAX, Scheme, TargetUrl, URL_BYTES_MAX, UrlError};
pub use wish::{CHUNK_SIZES, Origin, RULE_ID_BYTES_MAX, Role, Rule, RuleId, RuleIdError};
