//! What a caller may wish for.

use time::OffsetDateTime;

use crate::rule::project::{
    OutputChange, OutputDraft, Project, ProjectError, ProjectId, ProjectInput,
};
use crate::rule::{AppName, FileUrl, Files, Loops, PullUrl, Push, Role};
use crate::secret::Secret;

/// Random bytes in the key that a push URL is signed with.
const PUSH_KEY_BYTES: usize = 16;

/// A new project.
#[derive(Clone, Debug)]
pub struct ProjectWish {
    /// The tenant.
    pub app: AppName,
    /// What its callers are part of.
    pub platform: String,
    /// What people call it.
    pub name: String,
    /// The user who owns it.
    pub owner: String,
    /// What feeds it.
    pub main: Option<InputWish>,
    /// What feeds it while the main input cannot.
    pub backup: Option<InputWish>,
    /// Where it goes.
    pub outputs: Vec<OutputDraft>,
}

/// An input, as a caller wishes for it.
#[derive(Clone, Debug)]
pub enum InputWish {
    /// A live stream that is fetched.
    LivePull(Secret),
    /// Files that are played.
    VodPull {
        /// In the order in which they are played.
        urls: Vec<Secret>,
        /// How often the list is begun again: -1 for ever, 0 never.
        loops: i64,
    },
    /// A publisher, who is given a URL that is good for so many seconds.
    RtmpPush {
        /// From now on.
        seconds: u64,
    },
}

/// What can be done with a project.
#[derive(Clone, Debug)]
pub enum ProjectChange {
    /// Another name, owner, or both.
    Rename {
        /// What people call it.
        name: Option<String>,
        /// The user who owns it.
        owner: Option<String>,
    },
    /// Fills an empty place.
    AddInput(Role, InputWish),
    /// Puts another input in the place of one.
    ModifyInput(Role, InputWish),
    /// Empties a place.
    DeleteInput(Role),
    /// One more output.
    AddOutput(OutputDraft),
    /// An output is another one.
    ModifyOutput(OutputChange),
    /// One output less, by its id.
    DeleteOutput(Option<String>),
    /// Begins to work.
    Start,
    /// Ceases to work.
    Stop,
    /// Wants another input on the air.
    SwitchInput(Role),
    /// Ends by itself at this time.
    StopAt(OffsetDateTime),
}

impl ProjectChange {
    /// Does it to a project.
    pub(super) fn apply(
        self,
        project: &mut Project,
        now: OffsetDateTime,
    ) -> Result<(), ProjectError> {
        match self {
            Self::Rename { name, owner } => {
                project.name = name.unwrap_or_else(|| project.name.clone());
                project.owner = owner.unwrap_or_else(|| project.owner.clone());
                Ok(())
            }
            Self::AddInput(role, input) => {
                let input = input.granted(&project.id, role, now)?;
                project.add_input(role, input)
            }
            Self::ModifyInput(role, input) => {
                let input = input.granted(&project.id, role, now)?;
                project.modify_input(role, input)
            }
            Self::DeleteInput(role) => project.delete_input(role),
            Self::AddOutput(draft) => project.add_output(draft),
            Self::ModifyOutput(change) => project.modify_output(change),
            Self::DeleteOutput(id) => project.delete_output(id.as_deref()),
            Self::Start => project.start(now),
            Self::Stop => {
                project.stop(now);
                Ok(())
            }
            Self::SwitchInput(role) => project.switch_input(role),
            Self::StopAt(time) => project.set_stop_time(time, now),
        }
    }
}

impl InputWish {
    /// The input of a project's place, with a key of its own where it is a publisher's.
    pub(super) fn granted(
        self,
        id: &ProjectId,
        role: Role,
        now: OffsetDateTime,
    ) -> Result<ProjectInput, ProjectError> {
        match self {
            Self::LivePull(url) => {
                let url = PullUrl::parse(url.expose()).map_err(|why| refused("InputUrl", &why))?;
                Ok(ProjectInput::LivePull(url))
            }
            Self::VodPull { urls, loops } => {
                let urls: Result<Vec<_>, _> = urls
                    .iter()
                    .map(|url| FileUrl::parse(url.expose()))
                    .collect();
                let urls = urls.map_err(|why| refused("InputUrls", &why))?;
                let loops = Loops::from_number(loops).map_err(|why| refused("LoopTimes", &why))?;
                let files = Files::new(urls, loops).map_err(|why| refused("InputUrls", &why))?;
                Ok(ProjectInput::VodPull(files))
            }
            Self::RtmpPush { seconds } => {
                let name = id.publish_name(role);
                let push = Push::new(name, new_key()?, expiry(seconds, now)?);
                Ok(ProjectInput::RtmpPush { seconds, push })
            }
        }
    }
}

fn refused(what: &str, why: &dyn std::fmt::Display) -> ProjectError {
    ProjectError::Input(format!("{what}: {why}"))
}

/// When a push URL expires that is good for so many seconds. It says so in eight digits of hex.
fn expiry(seconds: u64, now: OffsetDateTime) -> Result<OffsetDateTime, ProjectError> {
    if seconds == 0 {
        return Err(refused("ExpiredSecond", &"nobody could publish for 0 s"));
    }
    let expiry = i64::try_from(seconds)
        .ok()
        .and_then(|seconds| now.unix_timestamp().checked_add(seconds))
        .filter(|expiry| u32::try_from(*expiry).is_ok())
        .and_then(|expiry| OffsetDateTime::from_unix_timestamp(expiry).ok());
    expiry.ok_or_else(|| refused("ExpiredSecond", &"the URL would expire after 2106"))
}

fn new_key() -> Result<Secret, ProjectError> {
    let mut key = [0; PUSH_KEY_BYTES];
    getrandom::fill(&mut key).map_err(|why| refused("PushUrl", &why))?;
    Ok(Secret::new(hex::encode(key)))
}
