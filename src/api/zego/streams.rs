//! Whether a stream is live, and whether it may be.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::action::Action;
use super::answer::{Code, Refusal};
use super::call::Call;
use super::parameters::Parameters;
use super::stream_id;
use crate::api::Doors;
use crate::control::{ForbidError, Life, StreamKey};

/// Carries out an action on a stream. Its `Sequence` is for the caller's own books: the last call counts.
pub(super) async fn run(
    doors: &Doors,
    call: &Call<'_>,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    let stream = stream_id::read(call, parameters)?;
    let key = StreamKey::new(call.account.app.clone(), stream);
    let done = match call.action {
        Action::Forbid => doors.forbids.forbid(key).await,
        Action::Resume => doors.forbids.permit(key).await,
        _ => return describe(doors, &key),
    };
    done.map(|()| Value::Null).map_err(not_done)
}

fn describe(doors: &Doors, key: &StreamKey) -> Result<Value, Refusal> {
    if let Some(stream) = doors.running.stream(key) {
        return Ok(times(stream.since, None));
    }
    let now = doors.clock.now();
    match doors.history.find(key, now) {
        Some(Life { began, ended }) => {
            let why = "nobody publishes the stream any more";
            let times = times(began, Some(ended.unwrap_or(now)));
            Err(Refusal::new(Code::StreamClosed, why).with_data(times))
        }
        None => {
            let why = "nobody publishes the stream, and nobody has as far as is remembered";
            Err(Refusal::new(Code::StreamUnknown, why))
        }
    }
}

/// Unix seconds as text; what is not yet is empty.
fn times(began: OffsetDateTime, ended: Option<OffsetDateTime>) -> Value {
    let seconds = |at: OffsetDateTime| at.unix_timestamp().to_string();
    json!({
        "create_time": seconds(began),
        "close_time": ended.map(seconds).unwrap_or_default(),
    })
}

fn not_done(error: ForbidError) -> Refusal {
    Refusal::new(Code::NotStored, error.to_string())
}
