//! What becomes of one app's streams, as its server is told: changes in, events out.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use time::{Duration, OffsetDateTime};

use super::relay;
use crate::control::{AppName, Origin, RuleId, Rules, StreamKey, TargetUrl};
use crate::telemetry::feed::{
    Change, PublishChange, PublishStart, StreamChange, TargetChange, What,
};
use crate::telemetry::labels::{PublishEnd, StreamEnd};

/// For how long after its end a stream that comes again is said to be the same one.
const RECREATED_WITHIN: Duration = Duration::seconds(90);

/// One app's streams, as far as they have to be told of.
pub(super) struct Story {
    app: AppName,
    era: u64,
    /// Counts what was told of streams.
    stream_seq: u64,
    live: HashMap<StreamKey, Life>,
    /// When streams ended; those of the last minutes only.
    ended: HashMap<StreamKey, OffsetDateTime>,
    pushes: HashMap<(RuleId, StreamKey), Push>,
}

/// A stream that is live.
struct Life {
    sid: String,
    began: OffsetDateTime,
    /// How its last publisher went.
    last_end: Option<PublishEnd>,
}

/// A push that runs.
struct Push {
    /// The URL as it may be shown.
    url: String,
    was_live: bool,
}

impl Story {
    /// `era` tells this run's streams from another's.
    pub(super) fn new(app: AppName, era: u64) -> Self {
        Self {
            app,
            era,
            stream_seq: 0,
            live: HashMap::new(),
            ended: HashMap::new(),
            pushes: HashMap::new(),
        }
    }

    /// The event that a change is worth, with its members.
    pub(super) fn tell(
        &mut self,
        change: &Change,
        rules: &Rules,
    ) -> Option<(&'static str, Map<String, Value>)> {
        if change.what.app() != self.app.as_str() {
            return None;
        }
        match &change.what {
            What::Publish {
                stream,
                change: publish,
                ..
            } => match publish {
                PublishChange::Started {
                    how: PublishStart::New,
                    ..
                } => Some(("stream_create", self.created(stream, change))),
                PublishChange::Started { .. } => None,
                PublishChange::Ended { reason, .. } => {
                    if let Some(life) = self.live.get_mut(stream) {
                        life.last_end = Some(*reason);
                    }
                    None
                }
            },
            What::Stream {
                stream,
                change: StreamChange::Ended { reason },
            } => Some(("stream_close", self.closed(stream, *reason, change))),
            What::Target {
                rule,
                stream,
                url,
                change: target,
                ..
            } => {
                let members = self.relayed((rule, stream), url, target, change.at, rules)?;
                Some(("stream_relay_cdn_state", members))
            }
            What::Stream { .. } | What::Rule { .. } => None,
        }
    }

    fn created(&mut self, stream: &StreamKey, change: &Change) -> Map<String, Value> {
        let at = change.at;
        self.ended
            .retain(|_, ended| at - *ended <= RECREATED_WITHIN);
        let recreate = match self.ended.remove(stream) {
            Some(_) => "1",
            None => "0",
        };
        let life = self.life(change);
        let sid = life.sid.clone();
        self.live.insert(stream.clone(), life);
        self.stream_seq += 1;
        let none: [&str; 0] = [];
        members(json!({
            "room_id": "",
            "room_session_id": "",
            "user_id": "",
            "user_name": "",
            "channel_id": "",
            "stream_id": stream.name.as_str(),
            "stream_sid": sid,
            "stream_alias": stream.name.as_str(),
            "title": "",
            "stream_attr": "{\"cid\":0}",
            "stream_seq": self.stream_seq.to_string(),
            "create_time": at.unix_timestamp().to_string(),
            "create_time_ms": millis(at).to_string(),
            "extra_info": "",
            "recreate": recreate,
            "publish_id": "",
            "publish_name": "",
            "rtmp_url": none,
            "hls_url": none,
            "hdl_url": none,
            "pic_url": none,
        }))
    }

    fn closed(
        &mut self,
        stream: &StreamKey,
        end: StreamEnd,
        change: &Change,
    ) -> Map<String, Value> {
        // One that began before anybody listened has a name from its end.
        let life = (self.live.remove(stream)).unwrap_or_else(|| self.life(change));
        self.ended.insert(stream.clone(), change.at);
        self.stream_seq += 1;
        members(json!({
            "room_id": "",
            "room_session_id": "",
            "user_id": "",
            "user_name": "",
            "channel_id": "",
            "type": close_type(life.last_end, end),
            "stream_alias": stream.name.as_str(),
            "stream_id": stream.name.as_str(),
            "stream_sid": life.sid,
            "stream_seq": self.stream_seq.to_string(),
            "third_define_data": "",
            "create_time_ms": millis(life.began).to_string(),
            "destroy_timemillis": millis(change.at).to_string(),
        }))
    }

    fn life(&self, change: &Change) -> Life {
        Life {
            sid: format!("s-{}-{}", self.era, change.number),
            began: change.at,
            last_end: None,
        }
    }

    fn relayed(
        &mut self,
        (rule, stream): (&RuleId, &StreamKey),
        url: &TargetUrl,
        change: &TargetChange,
        at: OffsetDateTime,
        rules: &Rules,
    ) -> Option<Map<String, Value>> {
        let place = (rule.clone(), stream.clone());
        let push = self.pushes.entry(place.clone()).or_insert_with(|| Push {
            url: String::new(),
            was_live: false,
        });
        // A rule that was just deleted is shown as it was before; its other URL is another one.
        if rules.find(rule).is_some() || push.url.is_empty() {
            let origin = rules.find(rule).map(|rule| rule.origin);
            push.url = shown(url, origin);
        }
        let state = relay::state(change, push.was_live);
        match change {
            TargetChange::Live => push.was_live = true,
            TargetChange::Connecting | TargetChange::BackingOff { .. } => push.was_live = false,
            _ => {}
        }
        let info = relay::info(&push.url, state?, millis(at));
        if matches!(
            change,
            TargetChange::Stopped { .. } | TargetChange::Failed { .. }
        ) {
            self.pushes.remove(&place);
        }
        Some(members(json!({
            "stream_id": stream.name.as_str(),
            "stream_alias": stream.name.as_str(),
            "info_list": [info],
        })))
    }
}

/// Without its query to whoever made the rule over this door; masked where it is somebody else's, whose key may stand in the path.
fn shown(url: &TargetUrl, origin: Option<Origin>) -> String {
    let whole = url.expose();
    match origin {
        Some(Origin::Zego) => whole.split(['?', '#']).next().unwrap_or(whole).to_owned(),
        _ => url.masked(),
    }
}

/// The vendor's number for how a stream ended.
fn close_type(last: Option<PublishEnd>, end: StreamEnd) -> &'static str {
    match (last, end) {
        (Some(PublishEnd::Kicked), _) => "3",
        // Nobody waits for the publisher any longer, because somebody said so.
        (Some(PublishEnd::Closed | PublishEnd::Lost | PublishEnd::Idle), StreamEnd::Finished) => {
            "3"
        }
        (Some(PublishEnd::Idle), StreamEnd::Lost) => "1",
        (Some(PublishEnd::Protocol), _) | (_, StreamEnd::Lost) => "4",
        _ => "0",
    }
}

fn millis(at: OffsetDateTime) -> i128 {
    at.unix_timestamp_nanos() / 1_000_000
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
