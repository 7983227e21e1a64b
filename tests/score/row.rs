//! A row of the card.

/// What came of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Kept,
    Broken,
    /// It could not be found out here; the value says why.
    Unknown,
}

impl Verdict {
    pub fn of(kept: bool) -> Self {
        if kept { Self::Kept } else { Self::Broken }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Kept => "pass",
            Self::Broken => "**fail**",
            Self::Unknown => "not known",
        }
    }
}

/// One item, or a part of it.
#[derive(Clone, Debug)]
pub struct Row {
    pub item: u32,
    pub what: &'static str,
    pub how: String,
    pub value: String,
    pub promise: &'static str,
    pub verdict: Verdict,
}
