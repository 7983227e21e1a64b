//! What a project is made of: its id, its inputs, its outputs.

use std::fmt;

use super::ProjectError;
use crate::rule::{Files, Loops, PullUrl, Push, Role, Source, StreamName, UrlTemplate};
use crate::secret::Secret;

/// The longest project id that is looked for, in bytes; ours have 31.
pub const PROJECT_ID_BYTES_MAX: usize = 128;

/// The longest id of an output, in characters.
pub const OUTPUT_ID_CHARS_MAX: usize = 64;

/// The longest name of an output, in characters.
pub const OUTPUT_NAME_CHARS_MAX: usize = 128;

/// A project's name for callers and for the store, and the name of its stream.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProjectId(StreamName);

impl ProjectId {
    /// What may be looked for: any text within [`PROJECT_ID_BYTES_MAX`].
    pub fn parse(text: &str) -> Option<Self> {
        match text.len() <= PROJECT_ID_BYTES_MAX {
            true => StreamName::parse(text).ok().map(Self),
            false => None,
        }
    }

    /// A new id, in the vendor's form, out of random bytes that the caller draws.
    pub fn from_random(bytes: [u8; 12]) -> Option<Self> {
        Self::parse(&format!("cmepid_{}", hex::encode(bytes)))
    }

    /// The name of the project's stream.
    pub fn stream(&self) -> &StreamName {
        &self.0
    }

    /// The name that a publisher for this input publishes under.
    pub fn publish_name(&self, role: Role) -> StreamName {
        let name = format!("{}-{}", self.as_str(), role.as_str());
        // An id is at most half as long as a name may be.
        StreamName::parse(&name).unwrap_or_else(|_| self.0.clone())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for ProjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for ProjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// What feeds a project. URLs print masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProjectInput {
    /// A live stream that is fetched.
    LivePull(PullUrl),
    /// Files that are played one after the other.
    VodPull(Files),
    /// A publisher.
    RtmpPush {
        /// For how many seconds it was given the right.
        seconds: u64,
        /// What it was given.
        push: Push,
    },
}

impl ProjectInput {
    /// Where its media comes from.
    pub fn source(&self) -> Source {
        match self {
            Self::LivePull(url) => Source::Pull(url.clone()),
            Self::VodPull(files) => Source::Files(files.clone()),
            Self::RtmpPush { push, .. } => Source::Push(push.clone()),
        }
    }

    /// Whether it ends by itself.
    pub fn ends(&self) -> bool {
        matches!(self, Self::VodPull(files) if files.loops() != Loops::Forever)
    }
}

/// Where a project's stream goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its name within the project.
    pub id: String,
    /// What people call it; may be empty.
    pub name: String,
    /// The URL as it was given.
    pub given: Secret,
    /// The URL that is pushed to.
    pub url: UrlTemplate,
}

/// A new output, as a caller wishes for it.
#[derive(Clone, Debug, Default)]
pub struct OutputDraft {
    /// Its name within the project; without one it is given one.
    pub id: Option<String>,
    /// What people call it.
    pub name: Option<String>,
    /// Where to.
    pub url: Option<Secret>,
}

/// What is to become of an output. What is `None` stays.
pub type OutputChange = OutputDraft;

impl Output {
    /// Reads a wish. `new_id` is taken where the wish has no id.
    pub(super) fn parse(draft: OutputDraft, new_id: String) -> Result<Self, ProjectError> {
        let id = draft.id.filter(|id| !id.is_empty()).unwrap_or(new_id);
        within("Id", &id, OUTPUT_ID_CHARS_MAX)?;
        let name = draft.name.unwrap_or_default();
        within("Name", &name, OUTPUT_NAME_CHARS_MAX)?;
        let given = draft
            .url
            .filter(|url| !url.is_empty())
            .ok_or_else(|| ProjectError::Output("PushUrl is missing".to_owned()))?;
        Self::stored(id, name, given)
    }

    pub(super) fn changed(&self, change: OutputChange) -> Result<Self, ProjectError> {
        let draft = OutputDraft {
            id: Some(self.id.clone()),
            name: change.name.or_else(|| Some(self.name.clone())),
            url: change.url.or_else(|| Some(self.given.clone())),
        };
        Self::parse(draft, String::new())
    }

    /// An output as the store has kept it.
    ///
    /// # Errors
    /// The URL is none that can be pushed to.
    pub fn stored(id: String, name: String, given: Secret) -> Result<Self, ProjectError> {
        let url = target(&given)?;
        Ok(Self {
            id,
            name,
            given,
            url,
        })
    }
}

/// The URL that is pushed to. A blank within a URL is one that its caller did not encode, and a URL cannot hold it.
fn target(given: &Secret) -> Result<UrlTemplate, ProjectError> {
    let encoded = given.expose().replace(' ', "%20");
    UrlTemplate::literal(&encoded).map_err(|why| ProjectError::Output(format!("PushUrl: {why}")))
}

fn within(what: &str, text: &str, max: usize) -> Result<(), ProjectError> {
    match text.chars().count() > max {
        true => Err(ProjectError::Output(format!(
            "the output's {what} has more than {max} characters"
        ))),
        false => Ok(()),
    }
}
