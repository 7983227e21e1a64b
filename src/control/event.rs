//! A change of state as the native door's events and webhooks tell it: one flat JSON object, secrets masked.

use std::net::SocketAddr;

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::rule::{
    AppName, Origin, Rule, RuleId, SourceKind, StreamKey, StreamName, TargetUrl, UrlTemplate,
};
use crate::telemetry::Label;
use crate::telemetry::feed::{
    Change, PublishChange, PublishStart, RuleChange, StreamChange, TargetChange, What,
};

/// What has changed. Which members there are depends on the type.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Event {
    /// Its place: the gateway's run, and the number in it, which rises by one from event to event. What `Last-Event-ID` takes.
    #[schema(example = "1795689600000-42")]
    pub id: String,
    /// What has happened.
    #[serde(rename = "type")]
    #[schema(example = "target.failed")]
    pub kind: &'static str,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: OffsetDateTime,
    /// The app.
    #[schema(value_type = String, example = "live")]
    pub app: AppName,
    /// The stream's name; for a rule its name or pattern.
    #[schema(example = "cam")]
    pub stream: String,
    /// The rule that changed, or that the target belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub rule: Option<RuleId>,
    /// The target's or the rule's URL, the key masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "rtmp://a.example/app/***")]
    pub url: Option<String>,
    /// The rule's second URL, the key masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_url: Option<String>,
    /// The rule's origin.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "api")]
    pub origin: Option<Origin>,
    /// Whether the rule is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The rule's revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// The publisher's address and port; absent where the gateway fetches or plays the input.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "192.0.2.7:51234")]
    pub peer: Option<SocketAddr>,
    /// The kind of input, where one was put beside plain publishers: `pull`, `files` or `push`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "pull")]
    pub input: Option<&'static str>,
    /// How the publisher's program calls itself, or what is fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// How the publisher came: `new`, `takeover`, `return` or `beside`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub how: Option<&'static str>,
    /// The class of the reason, from a closed set: the labels of the metrics.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "rejected")]
    pub reason: Option<&'static str>,
    /// The reason in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The number of the target's attempt, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// When the next attempt begins, in seconds from then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_seconds: Option<f64>,
    /// How far behind the target is, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag_seconds: Option<f64>,
    /// Which of the rule's two URLs the target goes to: `main` or `backup`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<&'static str>,
    /// Bytes that came in, or that the target was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// How long the publish lasted, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// How long the encoder is waited for, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<f64>,
}

/// The types of events, for filters and their errors.
pub const EVENT_TYPES: &[&str] = &[
    "publish.started",
    "publish.ended",
    "stream.waiting",
    "stream.ended",
    "target.connecting",
    "target.live",
    "target.backing_off",
    "target.recycled",
    "target.failed",
    "target.slow",
    "target.caught_up",
    "target.switched",
    "target.stopped",
    "rule.created",
    "rule.changed",
    "rule.deleted",
];

/// The id of the change with this number in this run.
pub fn event_id(era: u64, number: u64) -> String {
    format!("{era}-{number}")
}

/// What an id says: the run, and the number in it.
pub fn parse_event_id(id: &str) -> Option<(u64, u64)> {
    let (era, number) = id.split_once('-')?;
    Some((era.parse().ok()?, number.parse().ok()?))
}

impl Event {
    /// What is told of a change.
    pub fn of(change: &Change, era: u64) -> Self {
        let id = event_id(era, change.number);
        match &change.what {
            What::Publish {
                stream,
                peer,
                input,
                change: what,
            } => Self {
                peer: Some(*peer).filter(|peer| peer.port() > 0),
                input: input.map(SourceKind::as_str),
                ..of_publish(what, Self::of_stream(id, change.at, stream))
            },
            What::Stream {
                stream,
                change: what,
            } => of_stream(*what, Self::of_stream(id, change.at, stream)),
            What::Target {
                rule,
                stream,
                url,
                attempt,
                change: what,
            } => Self {
                rule: Some(rule.clone()),
                url: Some(TargetUrl::masked(url)),
                attempt: Some(*attempt).filter(|attempt| *attempt > 0),
                ..of_target(what, Self::of_stream(id, change.at, stream))
            },
            What::Rule { rule, change: what } => of_rule(*what, rule, id, change.at),
        }
    }

    fn of_stream(id: String, at: OffsetDateTime, stream: &StreamKey) -> Self {
        Self::new(id, at, stream.app.clone(), stream.name.as_str())
    }

    fn new(id: String, at: OffsetDateTime, app: AppName, stream: &str) -> Self {
        Self {
            id,
            kind: "",
            at,
            app,
            stream: stream.to_owned(),
            rule: None,
            url: None,
            backup_url: None,
            origin: None,
            enabled: None,
            revision: None,
            peer: None,
            input: None,
            client: None,
            how: None,
            reason: None,
            detail: None,
            attempt: None,
            retry_seconds: None,
            lag_seconds: None,
            to: None,
            bytes: None,
            seconds: None,
            grace_seconds: None,
        }
    }
}

fn of_publish(change: &PublishChange, event: Event) -> Event {
    match change {
        PublishChange::Started { how, client } => Event {
            kind: "publish.started",
            how: Some(match how {
                PublishStart::New => "new",
                PublishStart::Takeover => "takeover",
                PublishStart::Return => "return",
                PublishStart::Beside => "beside",
            }),
            client: Some(client.clone()).filter(|client| !client.is_empty()),
            ..event
        },
        PublishChange::Ended {
            reason,
            bytes,
            lasted,
        } => Event {
            kind: "publish.ended",
            reason: Some(reason.as_str()),
            bytes: Some(*bytes),
            seconds: Some(lasted.as_secs_f64()),
            ..event
        },
    }
}

fn of_stream(change: StreamChange, event: Event) -> Event {
    match change {
        StreamChange::Waiting { grace } => Event {
            kind: "stream.waiting",
            grace_seconds: Some(grace.as_secs_f64()),
            ..event
        },
        StreamChange::Ended { reason } => Event {
            kind: "stream.ended",
            reason: Some(reason.as_str()),
            ..event
        },
    }
}

fn of_target(change: &TargetChange, event: Event) -> Event {
    let of = |kind| Event { kind, ..event };
    match change {
        TargetChange::Connecting => of("target.connecting"),
        TargetChange::Live => of("target.live"),
        TargetChange::BackingOff {
            reason,
            detail,
            retry_in,
        } => Event {
            reason: Some(reason.as_str()),
            detail: Some(detail.clone()),
            retry_seconds: Some(retry_in.as_secs_f64()),
            ..of("target.backing_off")
        },
        TargetChange::Recycled { reason } => Event {
            reason: Some(reason.as_str()),
            ..of("target.recycled")
        },
        TargetChange::Failed { reason, detail } => Event {
            reason: Some(reason.as_str()),
            detail: Some(detail.clone()),
            ..of("target.failed")
        },
        TargetChange::Slow { left_out, lag } => Event {
            reason: Some(left_out.as_str()),
            lag_seconds: Some(lag.as_secs_f64()),
            ..of("target.slow")
        },
        TargetChange::CaughtUp => of("target.caught_up"),
        TargetChange::Switched { to } => Event {
            to: Some(to.as_str()),
            ..of("target.switched")
        },
        TargetChange::Stopped { bytes } => Event {
            bytes: Some(*bytes),
            ..of("target.stopped")
        },
    }
}

fn of_rule(change: RuleChange, rule: &Rule, id: String, at: OffsetDateTime) -> Event {
    Event {
        kind: match change {
            RuleChange::Created => "rule.created",
            RuleChange::Changed => "rule.changed",
            RuleChange::Deleted => "rule.deleted",
        },
        rule: Some(rule.id.clone()),
        url: Some(rule.url.masked()),
        backup_url: rule.backup_url.as_ref().map(UrlTemplate::masked),
        origin: Some(rule.origin),
        enabled: Some(rule.enabled),
        revision: Some(rule.revision),
        ..Event::new(id, at, rule.app.clone(), rule.stream.as_str())
    }
}

/// Which events somebody wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Only those of this app.
    pub app: Option<AppName>,
    /// Only those of streams of this name, and of rules that are for it.
    pub stream: Option<String>,
    /// Only these types; `target.*` is all that begin so. None means all.
    pub types: Vec<String>,
}

impl EventFilter {
    /// Whether an event is wanted.
    pub fn takes(&self, change: &Change, event: &Event) -> bool {
        self.app.as_ref().is_none_or(|app| *app == event.app)
            && self.takes_stream(change)
            && (self.types.is_empty() || self.types.iter().any(|wanted| fits(wanted, event.kind)))
    }

    fn takes_stream(&self, change: &Change) -> bool {
        let Some(wanted) = &self.stream else {
            return true;
        };
        match &change.what {
            What::Rule { rule, .. } => {
                StreamName::parse(wanted).is_ok_and(|name| rule.stream.matches(&name))
            }
            what => what
                .stream()
                .is_some_and(|stream| stream.name.as_str() == wanted),
        }
    }
}

/// Whether a text names a type of event, or the beginning of some.
pub fn is_event_type(wanted: &str) -> bool {
    EVENT_TYPES.iter().any(|kind| fits(wanted, kind))
}

fn fits(wanted: &str, kind: &str) -> bool {
    match wanted.strip_suffix(".*") {
        Some(group) => kind.split_once('.').is_some_and(|(of, _)| of == group),
        None => wanted == kind,
    }
}
