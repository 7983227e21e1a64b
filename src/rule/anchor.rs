//! What of a pattern can be looked up: the pieces around its stars.

use std::sync::Arc;

use super::pattern::StreamPattern;

/// A pattern's first piece, its last one, and the longest between them. Every name that fits has all three.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Anchor {
    first: Arc<str>,
    middle: Arc<str>,
    last: Arc<str>,
}

/// The lengths of an anchor's pieces, in bytes. Among thousands of patterns there are few: names of one kind are of one length, or
/// nearly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shape {
    first: usize,
    middle: usize,
    last: usize,
}

impl Anchor {
    /// The anchor of a pattern that has a star.
    pub(super) fn of(pattern: &StreamPattern) -> Self {
        let text = pattern.as_str();
        let (first, pieces) = text.split_once('*').unwrap_or((text, ""));
        let (between, last) = pieces.rsplit_once('*').unwrap_or(("", pieces));
        let middle = between.split('*').max_by_key(|piece| piece.len());
        Self {
            first: first.into(),
            middle: middle.unwrap_or_default().into(),
            last: last.into(),
        }
    }

    pub(super) fn shape(&self) -> Shape {
        Shape {
            first: self.first.len(),
            middle: self.middle.len(),
            last: self.last.len(),
        }
    }
}

impl Shape {
    pub(super) const LEAST: Self = Self {
        first: 0,
        middle: 0,
        last: 0,
    };
    pub(super) const GREATEST: Self = Self {
        first: usize::MAX,
        middle: usize::MAX,
        last: usize::MAX,
    };

    /// All anchors of this shape that a name has; at the most as many as it has bytes.
    pub(super) fn anchors(self, name: &str) -> Vec<Anchor> {
        let rest = name.split_at_checked(self.first);
        let parts = rest.and_then(|(first, rest)| {
            let at = rest.len().checked_sub(self.last)?;
            let (between, last) = rest.split_at_checked(at)?;
            Some((first, between, last))
        });
        let Some((first, between, last)) = parts else {
            return Vec::new();
        };
        let (first, last): (Arc<str>, Arc<str>) = (first.into(), last.into());
        let starts = 0..=between.len().saturating_sub(self.middle);
        let starts = if self.middle == 0 { 0..=0 } else { starts };
        let mut middles: Vec<&str> = starts
            .filter_map(|at| between.get(at..at + self.middle))
            .collect();
        // A piece that is in the name twice is one place in the index.
        middles.sort_unstable();
        middles.dedup();
        let anchor = |middle: &str| Anchor {
            first: first.clone(),
            middle: middle.into(),
            last: last.clone(),
        };
        middles.into_iter().map(anchor).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(anchor: &Anchor) -> (&str, &str, &str) {
        (&anchor.first, &anchor.middle, &anchor.last)
    }

    #[test]
    fn an_anchor_is_the_pieces_around_the_stars() {
        for (pattern, expected) in [
            ("*", ("", "", "")),
            ("**", ("", "", "")),
            ("a*", ("a", "", "")),
            ("*b", ("", "", "b")),
            ("a*b", ("a", "", "b")),
            ("a*b*c", ("a", "b", "c")),
            ("*aa*bbb*c*", ("", "bbb", "")),
            ("é*ü", ("é", "", "ü")),
        ] {
            let pattern = StreamPattern::parse(pattern).unwrap();
            assert_eq!(pieces(&Anchor::of(&pattern)), expected);
        }
    }

    #[test]
    fn a_name_has_as_many_anchors_of_a_shape_as_it_has_middles() {
        let shape = |first, middle, last| Shape {
            first,
            middle,
            last,
        };
        let anchors = |shape: Shape, name: &str| {
            let anchors = shape.anchors(name);
            anchors
                .iter()
                .map(|anchor| format!("{}|{}|{}", anchor.first, anchor.middle, anchor.last))
                .collect::<Vec<_>>()
        };
        assert_eq!(anchors(shape(0, 0, 0), "cam"), ["||"]);
        assert_eq!(anchors(shape(1, 0, 1), "cam"), ["c||m"]);
        assert_eq!(
            anchors(shape(2, 0, 2), "cam"),
            [""; 0],
            "pieces do not overlap"
        );
        assert_eq!(anchors(shape(0, 1, 0), "abca"), ["|a|", "|b|", "|c|"]);
        assert_eq!(anchors(shape(1, 2, 1), "abcde"), ["a|bc|e", "a|cd|e"]);
        assert_eq!(anchors(shape(1, 2, 1), "abc"), [""; 0]);
        assert_eq!(
            anchors(shape(1, 0, 0), "é"),
            [""; 0],
            "no piece ends within a character"
        );
    }
}
