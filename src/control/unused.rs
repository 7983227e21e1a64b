//! Rules that wait for a stream that never appears, and are deleted after a while where the configuration wants that.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::clock::Clock;
use super::history::History;
use super::rules::Rules;
use super::status::Running;
use crate::rule::{Origin, Rule, RuleId, StreamKey};

/// Looks after the rules of the ZEGO door, whose callers make them ahead of a stream and may never come back.
pub struct UnusedRules {
    /// The rules.
    pub rules: Rules,
    /// What runs.
    pub running: Arc<dyn Running>,
    /// What ran.
    pub history: Arc<History>,
    /// For how long a rule has waited.
    pub clock: Arc<dyn Clock>,
    /// What is known of them; nothing at first.
    pub waits: Mutex<Waits>,
}

/// Since when each rule has waited, in this process.
#[derive(Debug, Default)]
pub struct Waits(HashMap<RuleId, Wait>);

#[derive(Clone, Copy, Debug)]
enum Wait {
    Since(Duration),
    Over,
}

impl UnusedRules {
    /// Deletes those that have waited for `most`; how many that were. What is not seen by a call is not counted: call it often.
    pub async fn sweep(&self, most: Option<Duration>) -> usize {
        let mut waits = self.waits.lock().await;
        let Some(most) = most else {
            waits.0.clear();
            return 0;
        };
        let rules = self.rules.list(None);
        let streams = self.running.streams();
        let live: HashSet<StreamKey> = (streams.into_iter())
            .map(|stream| StreamKey::new(stream.app, stream.name))
            .collect();
        let now = self.clock.now();
        let has_appeared = |rule: &Rule, key: &StreamKey| {
            let last = || self.history.find(key, now).and_then(|life| life.ended);
            live.contains(key) || last().is_some_and(|ended| ended >= rule.created_at)
        };
        let due = waits.look(&rules, has_appeared, self.clock.elapsed(), most);
        for id in &due {
            // Whoever deleted it in between has done the same.
            let _ = self.rules.delete(id.clone(), Origin::Zego).await;
        }
        due.len()
    }
}

impl Waits {
    /// Which rules have waited for `most` at `now`.
    fn look(
        &mut self,
        rules: &[Arc<Rule>],
        has_appeared: impl Fn(&Rule, &StreamKey) -> bool,
        now: Duration,
        most: Duration,
    ) -> Vec<RuleId> {
        let before = std::mem::take(&mut self.0);
        let mut due = Vec::new();
        for rule in rules.iter().filter(|rule| rule.origin == Origin::Zego) {
            let Some(name) = rule.stream.as_literal() else {
                continue;
            };
            let key = StreamKey::new(rule.app.clone(), name.clone());
            let wait = match before.get(&rule.id) {
                Some(Wait::Over) => Wait::Over,
                _ if has_appeared(rule, &key) => Wait::Over,
                Some(&Wait::Since(since)) => Wait::Since(since),
                None => Wait::Since(now),
            };
            if matches!(wait, Wait::Since(since) if now.saturating_sub(since) >= most) {
                due.push(rule.id.clone());
            }
            self.0.insert(rule.id.clone(), wait);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{AppName, StreamName, StreamPattern, UrlTemplate};
    use time::OffsetDateTime;

    fn rule(id: &str, origin: Origin) -> Arc<Rule> {
        Arc::new(Rule {
            id: RuleId::parse(id).unwrap(),
            app: AppName::live(),
            stream: StreamPattern::literal(StreamName::parse(id).unwrap()),
            url: UrlTemplate::literal("rtmp://h/app/s").unwrap(),
            backup_url: None,
            enabled: true,
            origin,
            created_at: OffsetDateTime::UNIX_EPOCH,
            revision: 1,
            stop_at: None,
            chunk_size: None,
            strict_interleave: false,
            digest_handshake: false,
        })
    }

    #[test]
    fn only_what_has_waited_all_the_time_is_due() {
        let rules = [
            rule("zego", Origin::Zego),
            rule("used", Origin::Zego),
            rule("api", Origin::Api),
        ];
        let mut waits = Waits::default();
        let mut look = |rules: &[Arc<Rule>], live: &str, now: u64| -> Vec<String> {
            let has_appeared = |_: &Rule, key: &StreamKey| key.name.as_str() == live;
            let (now, most) = (Duration::from_secs(now), Duration::from_secs(60));
            let due = waits.look(rules, has_appeared, now, most);
            due.iter().map(|id| id.as_str().to_owned()).collect()
        };
        assert!(look(&rules, "", 100).is_empty());
        assert!(look(&rules, "used", 130).is_empty());
        assert!(look(&rules, "", 159).is_empty());
        assert_eq!(look(&rules, "", 160), ["zego"]);
        // One that was gone in between begins anew.
        assert!(look(&rules[1..], "", 170).is_empty());
        assert!(look(&rules, "", 180).is_empty());
        assert_eq!(look(&rules, "", 240), ["zego"]);
    }
}
