//! What the doors may do: the services (of rules, of inputs, of projects; each the only writer of its own) and the read models of
//! what runs.
//!
//! Doors know this module and nothing below it; what they need from below is named again here.

mod book;
mod clock;
mod event;
mod forbids;
mod history;
mod host_judge;
pub mod inputs;
mod lent_rules;
pub mod limits;
mod live;
mod live_stream;
mod outcome;
mod projects;
mod publish_hook;
mod readiness;
mod rules;
mod status;
mod stream_status;
mod token;
mod unused;
mod warnings;
mod webhooks;
mod writer;

pub use crate::rule::project::{
    Output, OutputDraft, Project, ProjectError, ProjectId, ProjectInput, ProjectLife,
    SYSTEM_OPERATOR,
};
pub use crate::rule::{
    AppName, CHUNK_SIZES, FilePlace, FileUrl, Files, HttpUrl, Input, InputError, KeyError, Loops,
    Origin, PUSH_SECONDS_MAX, PullUrl, Push, Role, Rule, RuleId, RuleSet, Source, SourceKind,
    SourceUrlError, StreamKey, StreamName, StreamPattern, TargetUrl, TemplateError, UrlError,
    UrlTemplate, signed_query,
};
pub use book::TooMany;
pub use clock::{Clock, SystemClock};
pub use event::{EVENT_TYPES, Event, EventFilter, event_id, is_event_type, parse_event_id};
pub use forbids::{ForbidError, Forbids};
pub use history::{History, Life, follow};
pub use host_judge::{HostJudge, host_judge};
pub use inputs::{InputSettings, Inputs};
pub use lent_rules::{LENT_RULES_MAX, Loan, PENDING_LOANS_MAX, PendingLoans, lend};
pub use live::Live;
pub use outcome::{
    ChangeError, CreateError, Created, DeleteError, Deleted, Expected, NewRule, NotStored,
    RuleChange, RuleOptions, Stale, TargetRefused,
};
pub use projects::{
    InputWish, ProjectCaller, ProjectChange, ProjectEvent, ProjectFailure, ProjectHappening,
    ProjectParts, ProjectWatch, ProjectWish, Projects,
};
pub use publish_hook::{
    HOOK_ANSWER_BYTES_MAX, HOOK_CALLS_MAX, HOOK_REASON_CHARS_MAX, HOOK_TIMEOUT, HookCalls,
    HookDown, HookMeans, HttpHook,
};
pub use readiness::{Phase, Readiness};
pub use rules::Rules;
pub use status::{
    PreflightReport, PreflightStep, Running, Step, StepResult, TargetDrops, TargetState,
    TargetStatus,
};
pub use stream_status::{
    DropCounts, RepairCounts, StreamInput, StreamInputKind, StreamInputState, StreamState,
    StreamStatus, TrackKind, TrackStatus, Warning, WarningCode,
};
pub use token::{TOKEN_FILE, TokenError, ensure_salt, ensure_token, read_token, token_path};
pub use unused::{UnusedRules, Waits};
pub use webhooks::{GIVE_UP_AFTER, Webhook, Webhooks};
