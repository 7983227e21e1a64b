//! Which rules want a stream, answered without looking at them all.

use std::collections::HashMap;
use std::sync::Arc;

use super::keys::{AppName, StreamKey};
use super::wish::{Rule, RuleId};

/// All rules at one moment, indexed. Cheap to clone; a change makes a new one.
///
/// A publish among ten thousand literal rules looks at its own and at its app's patterns.
#[derive(Debug, Clone, Default)]
pub struct RuleSet(Arc<Index>);

#[derive(Debug, Default)]
struct Index {
    rules: Box<[Arc<Rule>]>,
    by_id: HashMap<RuleId, Arc<Rule>>,
    literal: HashMap<StreamKey, Vec<Arc<Rule>>>,
    patterns: HashMap<AppName, Vec<Arc<Rule>>>,
}

impl RuleSet {
    /// Indexes the rules; [`iter`](Self::iter) keeps their order.
    pub fn new(rules: impl IntoIterator<Item = Arc<Rule>>) -> Self {
        let mut index = Index {
            rules: rules.into_iter().collect(),
            ..Index::default()
        };
        for rule in &index.rules {
            index.by_id.insert(rule.id.clone(), rule.clone());
            match rule.stream.as_literal() {
                Some(name) => index
                    .literal
                    .entry(StreamKey::new(rule.app.clone(), name.clone()))
                    .or_default(),
                None => index.patterns.entry(rule.app.clone()).or_default(),
            }
            .push(rule.clone());
        }
        Self(Arc::new(index))
    }

    /// The rules in force for a stream: those that name it, then the patterns, each in their order.
    pub fn for_stream<'a>(&'a self, key: &'a StreamKey) -> impl Iterator<Item = &'a Arc<Rule>> {
        let literal = self.0.literal.get(key).into_iter().flatten();
        let patterns = self.0.patterns.get(&key.app).into_iter().flatten();
        literal.chain(patterns).filter(|rule| rule.applies_to(key))
    }

    /// All of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Rule>> {
        self.0.rules.iter()
    }

    /// The rule with this id.
    pub fn find(&self, id: &RuleId) -> Option<&Arc<Rule>> {
        self.0.by_id.get(id)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.rules.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.rules.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Origin, StreamPattern, UrlTemplate};
    use super::*;
    use proptest::prelude::*;
    use time::OffsetDateTime;

    fn rule(app: &str, stream: &str, number: usize) -> Arc<Rule> {
        Arc::new(Rule {
            id: RuleId::parse(&format!("r{number}")).unwrap(),
            app: AppName::parse(app).unwrap(),
            stream: StreamPattern::parse(stream).unwrap(),
            url: UrlTemplate::parse("rtmp://h/app/{stream}").unwrap(),
            backup_url: None,
            enabled: !number.is_multiple_of(5),
            origin: Origin::Api,
            created_at: OffsetDateTime::UNIX_EPOCH,
            revision: 0,
            stop_at: None,
            chunk_size: None,
        })
    }

    proptest! {
        #[test]
        fn the_index_finds_what_a_search_through_all_finds(
            rules in proptest::collection::vec(("[ab]", "[ab*]{1,3}"), 0..20), app in "[abc]", name in "[ab/]{1,3}",
        ) {
            let rules: Vec<_> = rules.iter().enumerate().map(|(i, (app, stream))| rule(app, stream, i)).collect();
            let key = StreamKey::parse(&app, &name).unwrap();
            let set = RuleSet::new(rules.clone());
            let mut found: Vec<_> = set.for_stream(&key).map(|rule| rule.id.clone()).collect();
            let mut wanted: Vec<_> =
                rules.iter().filter(|rule| rule.applies_to(&key)).map(|rule| rule.id.clone()).collect();
            found.sort();
            wanted.sort();
            prop_assert_eq!(found, wanted);
            prop_assert_eq!(set.len(), rules.len());
            for rule in &rules {
                prop_assert!(set.find(&rule.id).is_some());
            }
        }
    }
}
