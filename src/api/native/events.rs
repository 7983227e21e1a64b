//! `/v1/events`: changes of state as they happen, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{self, KeepAlive, Sse};
use futures::Stream;
use futures::stream::unfold;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use utoipa::IntoParams;

use super::Native;
use crate::api::body;
use crate::api::problem::{Problem, ProblemBody};
use crate::api::server::limits::{EVENTS_KEEP_ALIVE, MAX_EVENT_LISTENERS};
use crate::control::{
    AppName, EVENT_TYPES, Event, EventFilter, event_id, is_event_type, parse_event_id,
};
use crate::telemetry::feed::{Feed, Read, Reader};

/// Which events to send, and from where on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Only those of this app.
    app: Option<String>,
    /// Only those of streams of this name, and of rules that are for it.
    stream: Option<String>,
    /// Only these types, with commas between them; `target.*` is all that begin so.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// As the header `Last-Event-ID`, for who cannot set it.
    last_event_id: Option<String>,
    /// The API token, for a browser's EventSource, which cannot set a header.
    #[allow(
        dead_code,
        reason = "it is for the description; api::auth reads it from the query"
    )]
    access_token: Option<String>,
}

/// How many may listen at one time.
pub(super) struct Listeners(Arc<Semaphore>);

impl Default for Listeners {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_EVENT_LISTENERS)))
    }
}

/// Changes of state as they happen, as server-sent events: the data of each is an `Event` in JSON.
///
/// With the id of the last event in `Last-Event-ID`, what came after it is sent first. Where that is not known any more, an event of
/// the type `reset` says so: what was known has to be asked for anew. The stream ends when the gateway does.
#[utoipa::path(get, path = "/v1/events", tag = "events",
    params(Wanted, ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was received.")),
    responses(
        (status = 200, description = "A stream of events, without an end.", body = String, content_type = "text/event-stream"),
        (status = 400, body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn listen(
    State(native): State<Native>,
    headers: HeaderMap,
    body::Parameters(wanted): body::Parameters<Wanted>,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Problem> {
    let filter = filter(&wanted)?;
    let permit = Arc::clone(&native.listeners.0).try_acquire_owned();
    let permit = permit.map_err(|_| {
        Problem::plain(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{MAX_EVENT_LISTENERS} callers listen to events, and no more may."),
        )
    })?;
    let header = headers.get("last-event-id");
    let last = header
        .and_then(|id| id.to_str().ok())
        .or(wanted.last_event_id.as_deref())
        .filter(|id| !id.is_empty());
    let listener = Listener::new(&native.doors.feed, last, filter, permit);
    let events = unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(EVENTS_KEEP_ALIVE)))
}

fn filter(wanted: &Wanted) -> Result<EventFilter, Problem> {
    let app = wanted.app.as_deref().map(AppName::parse).transpose();
    let app = app.map_err(|error| Problem::bad_request(format!("app: {error}")))?;
    let types = wanted.kind.as_deref().unwrap_or_default().split(',');
    let types: Vec<_> = types
        .filter(|kind| !kind.is_empty())
        .map(str::to_owned)
        .collect();
    if !types.iter().all(|kind| is_event_type(kind)) {
        let known = EVENT_TYPES.join(", ");
        return Err(Problem::bad_request(format!(
            "type: the types are {known}, and what they begin with, such as target.*"
        )));
    }
    Ok(EventFilter {
        app,
        stream: wanted.stream.clone(),
        types,
    })
}

/// One caller, and its place among the changes.
struct Listener {
    reader: Reader,
    filter: EventFilter,
    /// What is sent before the first change.
    first: Option<sse::Event>,
    _permit: OwnedSemaphorePermit,
}

impl Listener {
    fn new(
        feed: &Arc<Feed>,
        last: Option<&str>,
        filter: EventFilter,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let here = |id: &str| {
            let (era, number) = parse_event_id(id)?;
            (era == feed.era())
                .then(|| feed.reader_after(number))
                .flatten()
        };
        let known = last.map(here);
        let is_reset = matches!(known, Some(None));
        let reader = known.flatten().unwrap_or_else(|| feed.reader());
        let id = event_id(feed.era(), reader.place());
        let first = match is_reset {
            true => reset(
                id,
                "the last event's id is of another run of this gateway, or no id",
            ),
            // It says where to go on, also where nothing happens before the connection breaks; nobody is shown it.
            false => sse::Event::default()
                .id(id)
                .retry(Duration::from_secs(2))
                .comment("events follow"),
        };
        Self {
            reader,
            filter,
            first: Some(first),
            _permit: permit,
        }
    }

    /// The next event that is wanted; none at the end.
    async fn next(&mut self) -> Option<sse::Event> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let era = self.reader.era();
        loop {
            match self.reader.next().await {
                Read::End => return None,
                Read::Missed { count } => {
                    let id = event_id(era, self.reader.place());
                    return Some(reset(id, &format!("{count} events were missed")));
                }
                Read::Change(change) => {
                    let event = Event::of(&change, era);
                    if self.filter.takes(&change, &event) {
                        let data = serde_json::to_string(&event).unwrap_or_default();
                        return Some(sse::Event::default().id(event.id).data(data));
                    }
                }
            }
        }
    }
}

/// What was known has to be asked for anew.
fn reset(id: String, why: &str) -> sse::Event {
    let data = json!({ "type": "reset", "detail": why }).to_string();
    sse::Event::default().event("reset").id(id).data(data)
}
