//! The plan: what has to start and what has to stop, so that what runs is what the rules wish. Pure.

use crate::relay::StreamId;
use crate::rule::{Origin, Role, Rule, RuleId, RuleSet, StreamKey, TargetUrl};
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
    /// Where it goes while that fails.
    pub backup: Option<TargetUrl>,
    /// Which of the two it is at.
    pub role: Role,
    /// Whether it was told to stop, and is saying goodbye.
    pub stopping: bool,
}

/// What a rule says beyond its target. A push with other options is stopped, and started anew with these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PushOptions {
    /// The chunk size towards the target, in bytes, where the rule has its own.
    pub chunk_size: Option<u32>,
    /// Whether sound and pictures wait for each other.
    pub strict_interleave: bool,
    /// Whether the handshake has a digest.
    pub digest_handshake: bool,
}

impl PushOptions {
    /// The options of a rule.
    pub fn of(rule: &Rule) -> Self {
        Self {
            chunk_size: rule.chunk_size,
            strict_interleave: rule.strict_interleave,
            digest_handshake: rule.digest_handshake,
        }
    }
}

/// Says what has to be done: [`plan`].
pub type Planner = fn(&RuleSet, &[(StreamId, StreamKey)], &[Running], OffsetDateTime) -> Vec<Step>;

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
        /// The rule's backup URL, filled in for the stream.
        backup: Option<TargetUrl>,
    },
    /// Tell a push to stop at once.
    Stop(PushId),
    /// Give a push another backup, or the same address with other parameters; what it has running goes on.
    Readdress {
        /// Which one.
        push: PushId,
        /// The rule's URL, filled in for the stream.
        url: TargetUrl,
        /// The rule's backup URL, filled in for the stream.
        backup: Option<TargetUrl>,
    },
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
        if let (Role::Backup, Some(backup)) = (push.role, &push.backup) {
            taken.insert(backup.expose());
        }
        if !push.stopping {
            steps.extend(change(rules, push, now));
        }
    }
    let readdressed: Vec<_> = steps.iter().filter_map(new_address).collect();
    let mut started: HashSet<String> = readdressed.into_iter().collect();
    for (stream, key) in live {
        for rule in rules.for_stream(key).filter(|rule| rule.is_active(now)) {
            // A name that does not fit the URL is a wish that cannot come true; the read model shows it as waiting.
            let Some((url, backup)) = targets(rule, key) else {
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
                backup,
            });
        }
    }
    steps
}

/// What has to change about a push, if anything.
fn change(rules: &RuleSet, push: &Running, now: OffsetDateTime) -> Option<Step> {
    let rule = rules.find(&push.rule).filter(|rule| {
        rule.is_active(now) && rule.applies_to(&push.key) && PushOptions::of(rule) == push.options
    });
    let Some((rule, (url, backup))) = rule.and_then(|rule| Some((rule, targets(rule, &push.key)?)))
    else {
        return Some(Step::Stop(push.push));
    };
    let is_same = url == push.url;
    if is_same && backup == push.backup {
        return None;
    }
    // The ZEGO door promises that another query does not interrupt what runs.
    let has_another_query = rule.origin == Origin::Zego && url.is_same_address(&push.url);
    if is_same || has_another_query {
        return Some(Step::Readdress {
            push: push.push,
            url,
            backup,
        });
    }
    Some(Step::Stop(push.push))
}

/// A rule's URLs, filled in for a stream. A backup that cannot be filled, or comes to the first URL, is none.
fn targets(rule: &Rule, key: &StreamKey) -> Option<(TargetUrl, Option<TargetUrl>)> {
    let url = rule.url.fill(key).ok()?;
    let backup = rule.backup_url.as_ref();
    let backup = backup.and_then(|backup| backup.fill(key).ok());
    let backup = backup.filter(|backup| *backup != url);
    Some((url, backup))
}

fn new_address(step: &Step) -> Option<String> {
    match step {
        Step::Readdress { url, .. } => Some(url.expose().to_owned()),
        Step::Start { .. } | Step::Stop(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{AppName, StreamPattern, UrlTemplate};

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn rule(number: u8, stream: &str, url: &str) -> Rule {
        Rule {
            id: RuleId::from_random([number; 8]),
            app: AppName::parse("live").unwrap(),
            stream: StreamPattern::parse(stream).unwrap(),
            url: UrlTemplate::parse(url).unwrap(),
            backup_url: None,
            enabled: true,
            origin: Origin::Api,
            created_at: NOW,
            revision: u64::from(number),
            stop_at: None,
            chunk_size: None,
            strict_interleave: false,
            digest_handshake: false,
        }
    }

    fn rules(rules: impl IntoIterator<Item = Rule>) -> RuleSet {
        RuleSet::new(rules.into_iter().map(Arc::new))
    }

    fn stream(number: u64, name: &str) -> (StreamId, StreamKey) {
        (
            StreamId::from_number(number),
            StreamKey::parse("live", name).unwrap(),
        )
    }

    fn running(push: u64, rule: &Rule, stream: &(StreamId, StreamKey)) -> Running {
        Running {
            push: PushId(push),
            rule: rule.id.clone(),
            options: PushOptions::of(rule),
            stream: stream.0,
            key: stream.1.clone(),
            url: rule.url.fill(&stream.1).unwrap(),
            backup: targets(rule, &stream.1).unwrap().1,
            role: Role::Main,
            stopping: false,
        }
    }

    /// `+url` for a start, `-push` for a stop, `push>url` for another address, `|url` for the backup.
    fn steps(set: &RuleSet, live: &[(StreamId, StreamKey)], running: &[Running]) -> Vec<String> {
        plan(set, live, running, NOW)
            .into_iter()
            .map(|step| match step {
                Step::Start { url, backup, .. } => format!("+{}{}", url.expose(), or(&backup)),
                Step::Stop(push) => format!("-{}", push.0),
                Step::Readdress { push, url, backup } => {
                    format!("{}>{}{}", push.0, url.expose(), or(&backup))
                }
            })
            .collect()
    }

    fn or(backup: &Option<TargetUrl>) -> String {
        let backup = backup.as_ref();
        backup.map_or_else(String::new, |url| format!("|{}", url.expose()))
    }

    fn with_backup(rule: Rule, backup: &str) -> Rule {
        Rule {
            backup_url: Some(UrlTemplate::parse(backup).unwrap()),
            ..rule
        }
    }

    #[test]
    fn a_backup_is_filled_too_and_one_that_comes_to_the_same_is_none() {
        let rule = rule(1, "*", "rtmp://a/app/{stream}");
        let live = [stream(1, "cam")];
        for (backup, step) in [
            (
                "rtmp://b/app/{stream}",
                "+rtmp://a/app/cam|rtmp://b/app/cam",
            ),
            ("rtmp://a/app/cam", "+rtmp://a/app/cam"),
        ] {
            let set = rules([with_backup(rule.clone(), backup)]);
            assert_eq!(steps(&set, &live, &[]), [step]);
        }
    }

    #[test]
    fn another_backup_is_for_later() {
        let plain = rule(1, "cam", "rtmp://a/app/x");
        let one = with_backup(plain.clone(), "rtmp://b/app/x");
        let two = with_backup(plain.clone(), "rtmp://c/app/x");
        let live = [stream(1, "cam")];
        for (runs, wanted, expected) in [
            (&one, &one, &[][..]),
            (&one, &two, &["1>rtmp://a/app/x|rtmp://c/app/x"]),
            (&one, &plain, &["1>rtmp://a/app/x"]),
            (&plain, &one, &["1>rtmp://a/app/x|rtmp://b/app/x"]),
        ] {
            let runs = [running(1, runs, &live[0])];
            assert_eq!(steps(&rules([wanted.clone()]), &live, &runs), expected);
        }
    }

    #[test]
    fn a_backup_in_use_holds_its_url_and_the_main_one() {
        let one = with_backup(rule(1, "cam", "rtmp://a/app/x"), "rtmp://b/app/x");
        let live = [stream(1, "cam")];
        let others = [
            rule(2, "cam", "rtmp://a/app/x"),
            rule(3, "cam", "rtmp://b/app/x"),
        ];
        let set = rules([one.clone()].into_iter().chain(others));
        let on_main = running(1, &one, &live[0]);
        let on_backup = Running {
            role: Role::Backup,
            ..on_main.clone()
        };
        assert_eq!(steps(&set, &live, &[on_main]), ["+rtmp://b/app/x"]);
        assert!(steps(&set, &live, &[on_backup]).is_empty());
    }

    #[test]
    fn a_live_stream_gets_a_push_for_every_rule_that_wants_it() {
        let set = rules([
            rule(1, "cam", "rtmp://a/app/x"),
            rule(2, "*", "rtmp://b/app/{stream}"),
            rule(3, "other", "rtmp://c/app/y"),
        ]);
        let live = [stream(1, "cam")];
        assert_eq!(
            steps(&set, &live, &[]),
            ["+rtmp://a/app/x", "+rtmp://b/app/cam"]
        );
        assert!(steps(&set, &[], &[]).is_empty());
    }

    #[test]
    fn what_runs_as_wished_is_left_alone() {
        let (one, two) = (
            rule(1, "cam", "rtmp://a/app/x"),
            rule(2, "cam", "rtmp://b/app/y"),
        );
        let live = [stream(1, "cam")];
        let runs = [running(1, &one, &live[0])];
        let set = rules([one, two]);
        assert_eq!(steps(&set, &live, &runs), ["+rtmp://b/app/y"]);
    }

    #[test]
    fn a_rule_that_is_gone_disabled_ended_or_changed_stops_its_push_only() {
        let (one, two) = (
            rule(1, "cam", "rtmp://a/app/x"),
            rule(2, "cam", "rtmp://b/app/y"),
        );
        let live = [stream(1, "cam")];
        let runs = [running(1, &one, &live[0]), running(2, &two, &live[0])];
        let disabled = Rule {
            enabled: false,
            ..one.clone()
        };
        let over = Rule {
            stop_at: Some(NOW),
            ..one.clone()
        };
        let moved = rule(1, "cam", "rtmp://a/app/z");
        let rechunked = Rule {
            chunk_size: Some(60_000),
            ..one.clone()
        };
        let in_order = Rule {
            strict_interleave: true,
            ..one
        };
        assert_eq!(steps(&rules([two.clone()]), &live, &runs), ["-1"]);
        assert_eq!(steps(&rules([disabled, two.clone()]), &live, &runs), ["-1"]);
        assert_eq!(steps(&rules([over, two.clone()]), &live, &runs), ["-1"]);
        assert_eq!(
            steps(&rules([moved, two.clone()]), &live, &runs),
            ["-1", "+rtmp://a/app/z"]
        );
        assert_eq!(steps(&rules([in_order, two.clone()]), &live, &runs), ["-1"]);
        assert_eq!(
            steps(&rules([rechunked, two]), &live, &runs),
            ["-1"],
            "the new one starts when the old one has left the URL"
        );
    }

    #[test]
    fn a_vendors_new_query_is_for_the_next_attempt() {
        let zego = |url| Rule {
            origin: Origin::Zego,
            ..rule(1, "cam", url)
        };
        let live = [stream(1, "cam")];
        let runs = [running(1, &zego("rtmp://a/app/x?t=1"), &live[0])];
        for (url, steps_) in [
            ("rtmp://a/app/x?t=2", &["1>rtmp://a/app/x?t=2"][..]),
            ("rtmp://A:1935/app/x", &["1>rtmp://A:1935/app/x"]),
            // Another address, from another door, is for now.
            ("rtmp://a/app/y?t=1", &["-1", "+rtmp://a/app/y?t=1"]),
            ("rtmps://a/app/x?t=1", &["-1", "+rtmps://a/app/x?t=1"]),
            ("rtmp://b/app/x?t=1", &["-1", "+rtmp://b/app/x?t=1"]),
        ] {
            assert_eq!(steps(&rules([zego(url)]), &live, &runs), steps_);
        }
    }

    #[test]
    fn a_push_whose_stream_ended_ends_by_itself_and_holds_its_url_meanwhile() {
        let one = rule(1, "cam", "rtmp://a/app/x");
        let runs = [running(1, &one, &stream(1, "cam"))];
        let set = rules([one]);
        assert!(steps(&set, &[], &runs).is_empty());
        assert!(steps(&set, &[stream(2, "cam")], &runs).is_empty());
        assert_eq!(steps(&set, &[stream(2, "cam")], &[]), ["+rtmp://a/app/x"]);
    }

    #[test]
    fn two_rules_with_one_url_make_one_push() {
        let set = rules([
            rule(1, "cam", "rtmp://a/app/cam"),
            rule(2, "*", "rtmp://a/app/{stream}"),
        ]);
        assert_eq!(steps(&set, &[stream(1, "cam")], &[]), ["+rtmp://a/app/cam"]);
    }
}
