//! An input in JSON: as it is shown and made.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::serde::rfc3339;
use utoipa::ToSchema;

use super::rule_body::wrong;
use crate::api::problem::Problem;
use crate::control::inputs::{InputState, InputView, Position, StreamInputs};
use crate::control::{
    FileUrl, Files, Input, Inputs, Loops, Origin, PUSH_SECONDS_MAX, PullUrl, Push, Role, Source,
    StreamKey, StreamName,
};
use crate::secret::{MASK, Secret};

/// The inputs of a stream.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StreamInputs)]
pub struct StreamInputsBody {
    /// Its app.
    #[schema(example = "live")]
    app: String,
    /// Its name.
    #[schema(example = "cam")]
    stream: String,
    /// Which input it is rather fed from: the main one, until somebody has switched.
    #[schema(value_type = RoleName)]
    preferred: Role,
    /// Which input is on the air, or was last; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<RoleName>)]
    current: Option<Role>,
    /// The main one first.
    inputs: Vec<InputBody>,
}

/// One input of a stream.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Input)]
pub struct InputBody {
    /// Its place.
    #[schema(value_type = RoleName)]
    role: Role,
    /// Where its media comes from: `pull`, `files` or `push`.
    #[schema(example = "pull")]
    kind: &'static str,
    /// What is fetched. Keys are masked unless `?reveal=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "rtmp://a.example/app/***")]
    url: Option<String>,
    /// What is played, shown as `url` is.
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Vec<String>>,
    /// How often the list of files is begun again; -1 for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    loops: Option<i64>,
    /// What the publisher is given, shown as `url` is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "rtmp://gateway:1935/live/***")]
    push_url: Option<String>,
    /// Until when a publisher may begin with it.
    #[serde(with = "rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<OffsetDateTime>,
    /// Who made it.
    origin: Origin,
    /// How it stands.
    state: InputState,
    /// Since when it stands so.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    since: OffsetDateTime,
    /// The number of this attempt; the first is 1. 0 where none was made.
    attempt: u32,
    /// Why it is not fed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Bytes of media that came since it was started.
    bytes: u64,
    /// Where it is in its files.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<PositionBody>,
}

/// Where an input is in its files.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Position)]
struct PositionBody {
    /// The file's place in the list, from 0.
    index: usize,
    /// The file, shown as `files` are.
    url: String,
    /// How far it was played, in milliseconds.
    offset_ms: u64,
}

/// Which of a stream's two inputs.
#[derive(ToSchema)]
#[schema(as = InputRole, rename_all = "kebab-case")]
#[allow(dead_code, reason = "it is for the description alone")]
enum RoleName {
    Main,
    Backup,
}

impl StreamInputsBody {
    pub(super) fn of(of: &StreamInputs, inputs: &Inputs, reveal: bool) -> Self {
        Self {
            app: of.stream.app.as_str().to_owned(),
            stream: of.stream.name.as_str().to_owned(),
            preferred: of.preferred,
            current: of.current,
            inputs: of
                .iter()
                .map(|input| InputBody::of(input, inputs, reveal))
                .collect(),
        }
    }
}

impl InputBody {
    pub(super) fn of(view: &InputView, inputs: &Inputs, reveal: bool) -> Self {
        let (input, standing) = (&view.input, &view.standing);
        let mut body = Self {
            role: input.role,
            kind: input.source.kind().as_str(),
            url: None,
            files: None,
            loops: None,
            push_url: None,
            expires_at: None,
            origin: input.origin,
            state: standing.state,
            since: standing.since,
            attempt: standing.attempt,
            reason: standing.reason.clone(),
            bytes: standing.bytes,
            position: (standing.position.as_ref()).map(|at| PositionBody::of(at, reveal)),
        };
        match &input.source {
            Source::Pull(url) => {
                body.url = Some(match reveal {
                    true => url.expose().to_owned(),
                    false => url.masked(),
                });
            }
            Source::Files(files) => {
                let shown = files.urls().iter().map(|url| file(url, reveal));
                body.files = Some(shown.collect());
                body.loops = Some(files.loops().as_number());
            }
            Source::Push(push) => {
                let url = inputs.push_url(input);
                body.push_url = url.map(|url| match reveal {
                    true => url.expose().to_owned(),
                    false => masked_push(&url),
                });
                body.expires_at = Some(push.expires_at());
            }
        }
        body
    }
}

impl PositionBody {
    fn of(position: &Position, reveal: bool) -> Self {
        Self {
            index: position.index,
            url: file(&position.url, reveal),
            offset_ms: u64::try_from(position.offset.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

fn file(url: &FileUrl, reveal: bool) -> String {
    match reveal {
        true => url.expose().to_owned(),
        false => url.masked(),
    }
}

fn masked_push(url: &Secret) -> String {
    let before = url
        .expose()
        .rsplit_once('/')
        .map_or("", |(before, _)| before);
    format!("{before}/{MASK}")
}

/// A new input: exactly one of `url`, `files` and `push`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutInput {
    /// A live stream: `rtmp://`, `rtmps://`, or FLV over `http://` or `https://`.
    #[schema(example = "https://a.example/live/cam.flv")]
    url: Option<String>,
    /// FLV and MP4 files, played one after the other: `http(s)` URLs, or paths on the gateway's machine in one of the directories of
    /// `[ingest] file_directories`.
    files: Option<Vec<String>>,
    /// How often the list of files is begun again: -1 for ever, 0 not at all.
    #[schema(default = 0, minimum = -1)]
    loops: Option<i64>,
    /// A URL is made that one publisher may use.
    push: Option<PutPush>,
}

/// A push URL to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutPush {
    /// For so long a publisher may begin with it, in seconds.
    #[schema(minimum = 1, example = 3600)]
    expires_in_seconds: u64,
}

impl PutInput {
    pub(super) fn parse(
        self,
        stream: StreamKey,
        role: Role,
        now: OffsetDateTime,
    ) -> Result<Input, Problem> {
        let source = match (self.url, self.files, self.push) {
            (Some(url), None, None) => {
                let url = PullUrl::parse(&url).map_err(|why| wrong("url", why))?;
                Source::Pull(url)
            }
            (None, Some(files), None) => {
                let urls: Result<Vec<_>, _> = files.iter().map(|url| FileUrl::parse(url)).collect();
                let urls = urls.map_err(|why| wrong("files", why))?;
                let loops = Loops::from_number(self.loops.unwrap_or(0));
                let loops = loops.map_err(|why| wrong("loops", why))?;
                Source::Files(Files::new(urls, loops).map_err(|why| wrong("files", why))?)
            }
            (None, None, Some(push)) => Source::Push(push.parse(&stream, role, now)?),
            _ => {
                return Err(wrong(
                    "url",
                    "an input has exactly one of url, files and push",
                ));
            }
        };
        if self.loops.is_some() && !matches!(source, Source::Files(_)) {
            return Err(wrong("loops", "only files are played again"));
        }
        Ok(Input {
            stream,
            role,
            source,
            origin: Origin::Api,
        })
    }
}

impl PutPush {
    fn parse(self, stream: &StreamKey, role: Role, now: OffsetDateTime) -> Result<Push, Problem> {
        let field = "push.expires_in_seconds";
        if !(1..=PUSH_SECONDS_MAX).contains(&self.expires_in_seconds) {
            let why = format!("the number must be from 1 to {PUSH_SECONDS_MAX}");
            return Err(wrong(field, why));
        }
        let seconds = i64::try_from(self.expires_in_seconds).unwrap_or(i64::MAX);
        let expires_at = now
            .checked_add(time::Duration::seconds(seconds))
            .ok_or_else(|| wrong(field, "the time is out of range"))?;
        let mut random = [0; 24];
        getrandom::fill(&mut random).map_err(|_| {
            Problem::plain(
                axum::http::StatusCode::SERVICE_UNAVAILABLE,
                "The system gives no random numbers.",
            )
        })?;
        let (for_name, for_key) = random.split_at(8);
        // A name that shows whose it is, where there is room for that.
        let shown: String = stream
            .name
            .as_str()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(64)
            .collect();
        let name = format!("{shown}-{}-{}", role.as_str(), hex::encode(for_name));
        let name = StreamName::parse(&name).map_err(|why| wrong("push", why))?;
        Ok(Push::new(
            name,
            Secret::new(hex::encode(for_key)),
            expires_at,
        ))
    }
}
