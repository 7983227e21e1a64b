//! The plan: what has to start and what has to stop, so that what runs is what the rules wish. Pure.

use crate::relay::StreamId;
use crate::rule::{Rule, RuleId, RuleSet, StreamKey, TargetUrl};
use std::collections::HashSet;
use std::sync::Arc;
use time::OffsetDateTime;

/// One run of a target. A number is used once in a process's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PushId(pub u64);

/// A push that runs, or is on its way out.
#[derive(Clone, Debug)]
pub struct Running {
    /// Which one.
    pub push: PushId,
    /// The rule that wished for it.
    pub rule: RuleId,
    /// The options that it runs with.
    pub options: PushOptions,
    /// The life of the stream that it carries.
    pub stream: StreamId,
    /// The stream's name.
    pub key: StreamKey,
    /// Its target.
    pub url: TargetUrl,
    /// Whether it was told to stop, and is saying goodbye.
    pub stopping: bool,
}

/// What a rule says beyond its target. A push with other options is stopped, and started anew with these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PushOptions {
    /// The chunk size towards the target, in bytes, where the rule has its own.
    pub chunk_size: Option<u32>,
}

impl PushOptions {
    /// The options of a rule.
    pub fn of(rule: &Rule) -> Self {
        Self {
            chunk_size: rule.chunk_size,
        }
    }
}

/// One thing to do.
#[derive(Clone, Debug)]
pub enum Step {
    /// Start a push.
    Start {
        /// The rule that wishes for it.
        rule: Arc<Rule>,
        /// The life of the stream.
        stream: StreamId,
        /// The stream's name.
        key: StreamKey,
        /// The rule's URL, filled in for the stream.
        url: TargetUrl,
    },
    /// Tell a push to stop at once.
    Stop(PushId),
}

/// Compares what the rules wish for with what runs.
///
/// A push whose stream has ended is left alone: it delivers what is left and ends by itself. Until it has, and while any other
/// push of the stream goes to the same URL, none is started there: a CDN takes a second session for a thief.
pub fn plan(
    rules: &RuleSet,
    live: &[(StreamId, StreamKey)],
    running: &[Running],
    now: OffsetDateTime,
) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut taken: HashSet<&str> = HashSet::new();
    for push in running {
        taken.insert(push.url.expose());
        if !push.stopping && !is_wished(rules, push, now) {
            steps.push(Step::Stop(push.push));
        }
    }
    let mut started: HashSet<String> = HashSet::new();
    for (stream, key) in live {
        for rule in rules.for_stream(key).filter(|rule| is_active(rule, now)) {
            // A name that does not fit the URL is a wish that cannot come true; the read model shows it as waiting.
            let Ok(url) = rule.url.fill(key) else {
                continue;
            };
            if taken.contains(url.expose()) || !started.insert(url.expose().to_owned()) {
                continue;
            }
            steps.push(Step::Start {
                rule: Arc::clone(rule),
                stream: *stream,
                key: key.clone(),
                url,
            });
        }
    }
    steps
}

/// The next moment at which a rule ends by itself.
pub fn next_stop(rules: &RuleSet, now: OffsetDateTime) -> Option<OffsetDateTime> {
    rules
        .iter()
        .filter_map(|rule| rule.stop_at)
        .filter(|&at| at > now)
        .min()
}

/// Whether a rule asks for anything at this moment.
pub fn is_active(rule: &Rule, now: OffsetDateTime) -> bool {
    rule.enabled && rule.stop_at.is_none_or(|at| at > now)
}

fn is_wished(rules: &RuleSet, push: &Running, now: OffsetDateTime) -> bool {
    rules.find(&push.rule).is_some_and(|rule| {
        is_active(rule, now)
            && rule.applies_to(&push.key)
            && PushOptions::of(rule) == push.options
            && rule
                .url
                .fill(&push.key)
                .is_ok_and(|url| url.expose() == push.url.expose())
    })
}
