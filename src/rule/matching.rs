//! Which rules want a stream, answered without looking at them all.

use std::ops::Bound;
use std::sync::Arc;

use rpds::{HashTrieMapSync, RedBlackTreeMapSync};
use time::OffsetDateTime;

use super::anchor::{Anchor, Shape};
use super::keys::{AppName, StreamKey};
use super::pattern::StreamPattern;
use super::wish::{Rule, RuleId};

/// Where a rule stands among all: fixed ones first, then those of doors, each in the order in which they came.
pub type Place = (Shelf, u64);

/// Who keeps a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shelf {
    /// Configuration and command line.
    Fixed,
    /// The store.
    Kept,
}

/// All rules at one moment, indexed. Its parts are shared with the sets that it was made from: a clone costs nothing, and one more
/// rule or one less costs the logarithm of their number.
///
/// A publish looks at the rules that name its stream, and at those patterns whose fixed pieces are all in its name.
#[derive(Debug, Clone)]
pub struct RuleSet {
    rules: RedBlackTreeMapSync<Place, Arc<Rule>>,
    places: HashTrieMapSync<RuleId, Place>,
    literal: RedBlackTreeMapSync<(StreamKey, Place), Arc<Rule>>,
    patterns: RedBlackTreeMapSync<(AppName, Anchor, Place), Arc<Rule>>,
    /// How many patterns of an app have that shape.
    shapes: RedBlackTreeMapSync<(AppName, Shape), usize>,
    /// When rules end by themselves.
    ends: RedBlackTreeMapSync<(OffsetDateTime, Place), ()>,
}

impl Default for RuleSet {
    fn default() -> Self {
        Self {
            rules: RedBlackTreeMapSync::new_sync(),
            places: HashTrieMapSync::new_sync(),
            literal: RedBlackTreeMapSync::new_sync(),
            patterns: RedBlackTreeMapSync::new_sync(),
            shapes: RedBlackTreeMapSync::new_sync(),
            ends: RedBlackTreeMapSync::new_sync(),
        }
    }
}

impl RuleSet {
    /// Indexes the rules; [`iter`](Self::iter) keeps their order. Of two with one id the later one counts.
    pub fn new(rules: impl IntoIterator<Item = Arc<Rule>>) -> Self {
        let mut set = Self::default();
        for (number, rule) in (0..).zip(rules) {
            set.put((Shelf::Kept, number), rule);
        }
        set
    }

    /// Takes a rule; one with the same id gives its place to it.
    pub fn put(&mut self, place: Place, rule: Arc<Rule>) {
        let place = self.remove(&rule.id).map_or(place, |(place, _)| place);
        self.rules.insert_mut(place, rule.clone());
        self.places.insert_mut(rule.id.clone(), place);
        if let Some(at) = rule.stop_at {
            self.ends.insert_mut((at, place), ());
        }
        if let Some(name) = rule.stream.as_literal() {
            let key = StreamKey::new(rule.app.clone(), name.clone());
            self.literal.insert_mut((key, place), rule);
            return;
        }
        let anchor = Anchor::of(&rule.stream);
        let shape = (rule.app.clone(), anchor.shape());
        let count = self.shapes.get(&shape).copied().unwrap_or(0);
        self.shapes.insert_mut(shape, count + 1);
        let key = (rule.app.clone(), anchor, place);
        self.patterns.insert_mut(key, rule);
    }

    /// Forgets a rule, and says where it stood.
    pub fn remove(&mut self, id: &RuleId) -> Option<(Place, Arc<Rule>)> {
        let place = *self.places.get(id)?;
        let rule = self.rules.get(&place)?.clone();
        self.rules.remove_mut(&place);
        self.places.remove_mut(id);
        if let Some(at) = rule.stop_at {
            self.ends.remove_mut(&(at, place));
        }
        if let Some(name) = rule.stream.as_literal() {
            let key = StreamKey::new(rule.app.clone(), name.clone());
            self.literal.remove_mut(&(key, place));
            return Some((place, rule));
        }
        let anchor = Anchor::of(&rule.stream);
        let shape = (rule.app.clone(), anchor.shape());
        match self.shapes.get(&shape).copied().unwrap_or(0) {
            0 | 1 => drop(self.shapes.remove_mut(&shape)),
            count => self.shapes.insert_mut(shape, count - 1),
        }
        self.patterns.remove_mut(&(rule.app.clone(), anchor, place));
        Some((place, rule))
    }

    /// The rules in force for a stream: those that name it, then the patterns, each in their order.
    pub fn for_stream<'a>(
        &'a self,
        key: &'a StreamKey,
    ) -> impl Iterator<Item = &'a Arc<Rule>> + 'a {
        let examined = self.examined(key).into_iter();
        examined.filter(|rule| rule.applies_to(key))
    }

    /// The rules that are looked at for a stream: their number is what a publish costs.
    fn examined(&self, key: &StreamKey) -> Vec<&Arc<Rule>> {
        let mut fitting: Vec<_> = (self.anchors(key).into_iter())
            .flat_map(|anchor| self.anchored(key.app.clone(), anchor))
            .collect();
        fitting.sort_by_key(|&(place, _)| place);
        let patterns = fitting.into_iter().map(|(_, rule)| rule);
        self.named(key.clone()).chain(patterns).collect()
    }

    /// The rules that name this stream.
    fn named(&self, key: StreamKey) -> impl Iterator<Item = &Arc<Rule>> {
        let bounds = (
            Bound::Included((key.clone(), FIRST)),
            Bound::Included((key, LAST)),
        );
        self.literal.range(bounds).map(|(_, rule)| rule)
    }

    /// What the fixed pieces of a pattern may be that this name fits.
    fn anchors(&self, key: &StreamKey) -> Vec<Anchor> {
        let bounds = (
            Bound::Included((key.app.clone(), Shape::LEAST)),
            Bound::Included((key.app.clone(), Shape::GREATEST)),
        );
        let shapes = self.shapes.range(bounds).map(|((_, shape), _)| *shape);
        shapes
            .flat_map(|shape| shape.anchors(key.name.as_str()))
            .collect()
    }

    fn anchored(&self, app: AppName, anchor: Anchor) -> impl Iterator<Item = (Place, &Arc<Rule>)> {
        let bounds = (
            Bound::Included((app.clone(), anchor.clone(), FIRST)),
            Bound::Included((app, anchor, LAST)),
        );
        let rules = self.patterns.range(bounds);
        rules.map(|((_, _, place), rule)| (*place, rule))
    }

    /// The rules for exactly this name or pattern, in their order.
    pub fn at(&self, app: &AppName, stream: &StreamPattern) -> Vec<&Arc<Rule>> {
        if let Some(name) = stream.as_literal() {
            let key = StreamKey::new(app.clone(), name.clone());
            return self.named(key).collect();
        }
        let anchored = self.anchored(app.clone(), Anchor::of(stream));
        let rules = anchored.map(|(_, rule)| rule);
        rules.filter(|rule| rule.stream == *stream).collect()
    }

    /// The next moment after `now` at which a rule ends by itself.
    pub fn next_end(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let later = (Bound::Excluded((now, LAST)), Bound::Unbounded);
        let mut later = self.ends.range(later);
        later.next().map(|((at, _), ())| *at)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.rules.values()
    }

    /// The rule with this id.
    pub fn find(&self, id: &RuleId) -> Option<&Arc<Rule>> {
        self.rules.get(self.places.get(id)?)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.rules.size()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

const FIRST: Place = (Shelf::Fixed, 0);
const LAST: Place = (Shelf::Kept, u64::MAX);

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
            strict_interleave: false,
            digest_handshake: false,
        })
    }

    /// How many rules a publish looks at, and how many places in the index.
    fn cost(set: &RuleSet, key: &StreamKey) -> (usize, usize) {
        (set.examined(key).len(), set.anchors(key).len())
    }

    #[test]
    fn a_publish_looks_at_as_many_rules_among_ten_thousand_as_among_ten() {
        /// The rules, a stream that some of them want, how many those are.
        type Table = (fn(usize) -> String, &'static str, usize);
        let tables: [Table; 6] = [
            (|n| format!("cam-{n:05}"), "cam-00003", 1),
            (|n| format!("cam-{n:05}-*"), "cam-00003-hd", 1),
            (|n| format!("*-{n:05}"), "cam-00003", 1),
            (|n| format!("a*-{n:05}-*"), "a1-00003-hd", 1),
            (|n| format!("*{n:05}*"), "cam-00003-hd", 1),
            // Rules of other streams beside one pattern that all fit.
            (
                |n| {
                    if n == 3 {
                        "*".to_owned()
                    } else {
                        format!("cam-{n:05}")
                    }
                },
                "other",
                1,
            ),
        ];
        for (stream, name, wanted) in tables {
            let set = |count| RuleSet::new((1..=count).map(|n| rule("live", &stream(n), n)));
            let key = StreamKey::parse("live", name).unwrap();
            let (few, many) = (set(10), set(10_000));
            assert_eq!(many.len(), 10_000);
            assert_eq!(few.for_stream(&key).count(), wanted, "{name}");
            assert_eq!(many.for_stream(&key).count(), wanted, "{name}");
            assert_eq!(cost(&few, &key), cost(&many, &key), "{name}");
            assert_eq!(cost(&many, &key).0, wanted, "{name}");
        }
    }

    #[test]
    fn a_change_leaves_older_sets_as_they_were() {
        let one = rule("a", "x*", 1);
        let older = RuleSet::new([one.clone(), rule("a", "y", 2)]);
        let mut newer = older.clone();
        let moved = Rule {
            stream: StreamPattern::parse("z").unwrap(),
            ..Rule::clone(&one)
        };
        newer.put((Shelf::Kept, 9), Arc::new(moved));
        let key = |name| StreamKey::parse("a", name).unwrap();
        assert_eq!(newer.for_stream(&key("x1")).count(), 0);
        assert_eq!(newer.for_stream(&key("z")).count(), 1);
        assert_eq!(older.for_stream(&key("x1")).count(), 1);
        assert_eq!(older.for_stream(&key("z")).count(), 0);
        let first = newer.iter().next().unwrap();
        assert_eq!(first.id, one.id, "it keeps its place");
        newer.remove(&one.id).unwrap();
        assert_eq!((newer.len(), older.len()), (1, 2));
        assert!(newer.remove(&one.id).is_none());
        assert!(newer.anchors(&key("x1")).is_empty());
    }

    #[test]
    fn the_next_end_is_found_among_those_to_come() {
        let at = |seconds| OffsetDateTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        let ending = |number, end: Option<u64>| {
            Arc::new(Rule {
                stop_at: end.map(at),
                ..Rule::clone(&rule("a", "x", number))
            })
        };
        let mut set = RuleSet::new([ending(1, Some(5)), ending(2, Some(3)), ending(3, None)]);
        assert_eq!(set.next_end(at(0)), Some(at(3)));
        assert_eq!(set.next_end(at(3)), Some(at(5)));
        assert_eq!(set.next_end(at(5)), None);
        set.put((Shelf::Kept, 9), ending(2, Some(9)));
        assert_eq!(set.next_end(at(0)), Some(at(5)));
        assert_eq!(set.next_end(at(5)), Some(at(9)));
    }

    proptest! {
        #[test]
        fn the_index_finds_what_a_search_through_all_finds(
            rules in proptest::collection::vec(("[ab]", "[abé*]{1,6}"), 0..20), app in "[abc]", name in "[abé/]{1,6}",
            removed in proptest::collection::vec(0..20_usize, 0..5),
        ) {
            let rules: Vec<_> = rules.iter().enumerate().map(|(i, (app, stream))| rule(app, stream, i)).collect();
            let key = StreamKey::parse(&app, &name).unwrap();
            let mut set = RuleSet::new(rules.clone());
            let is_left = |rule: &Rule| !removed.iter().any(|n| rule.id.as_str() == format!("r{n}"));
            for number in &removed {
                set.remove(&RuleId::parse(&format!("r{number}")).unwrap());
            }
            let rules: Vec<_> = rules.into_iter().filter(|rule| is_left(rule)).collect();
            let mut found: Vec<_> = set.for_stream(&key).map(|rule| rule.id.clone()).collect();
            let mut wanted: Vec<_> =
                rules.iter().filter(|rule| rule.applies_to(&key)).map(|rule| rule.id.clone()).collect();
            found.sort();
            wanted.sort();
            prop_assert_eq!(found, wanted);
            prop_assert_eq!(set.len(), rules.len());
            for rule in &rules {
                prop_assert!(set.find(&rule.id).is_some());
                let same: Vec<_> = rules.iter().filter(|r| r.app == rule.app && r.stream == rule.stream).collect();
                prop_assert_eq!(set.at(&rule.app, &rule.stream), same);
            }
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), rules.iter().collect::<Vec<_>>());
        }
    }
}
