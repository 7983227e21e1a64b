//! A live stream, looked at: from the relay's figures and the publisher's headers to what doors show.

use super::stream_status::{
    DropCounts, RepairCounts, StreamInput, StreamInputState, StreamState, StreamStatus, TrackKind,
    TrackStatus,
};
use super::warnings::warnings;
use crate::media::timeline::{RepairKind, Repairs};
use crate::media::{Class, Description, MediaKind, Track, TrackId};
use crate::relay::Stream;
use crate::relay::headers::Headers;
use crate::relay::status::{Drops, Publisher, StreamSnapshot, TrackFigures};
use std::net::SocketAddr;

/// The stream at this moment, which so many pushes carry.
pub(super) fn stream_status(stream: &Stream, targets: u64) -> StreamStatus {
    let snapshot = stream.snapshot();
    let key = stream.key().clone();
    let warnings = warnings(&snapshot);
    let inputs = input_statuses(&snapshot);
    let fps = fps(&snapshot);
    let StreamSnapshot {
        figures,
        publisher,
        repairs,
        headers,
        ring_bytes,
        keyframe_interval_ms,
        ..
    } = snapshot;
    let (state, publisher, client) = match publisher {
        Some(Publisher { peer, client, .. }) => (StreamState::Live, placed(peer), named(client)),
        None => (StreamState::Grace, None, None),
    };
    StreamStatus {
        app: key.app,
        name: key.name,
        state,
        since: stream.since().into(),
        publisher,
        client,
        inputs,
        tracks: (figures.tracks.iter())
            .map(|track| track_status(track, &headers))
            .collect(),
        bitrate: figures.bitrate,
        fps,
        bytes: figures.bytes,
        frames: figures.frames,
        keyframe_interval_ms: keyframe_interval_ms.and_then(|millis| u64::try_from(millis).ok()),
        b_frames: figures.b_frames,
        ring_bytes: ring_bytes as u64,
        repairs: repairs.total(),
        repairs_by_kind: repair_counts(&repairs),
        drops: drop_counts(figures.drops),
        warnings,
        targets,
    }
}

/// What is on the air, or was last, and what stands by.
fn input_statuses(snapshot: &StreamSnapshot) -> Vec<StreamInput> {
    let lost = snapshot.lost.as_ref().map(|lost| StreamInput {
        peer: None,
        client: None,
        ..input_status(lost, StreamInputState::Lost)
    });
    let there = [
        (&snapshot.publisher, StreamInputState::Active),
        (&snapshot.standby, StreamInputState::Standby),
    ];
    let there = (there.into_iter())
        .filter_map(|(publisher, state)| Some(input_status(publisher.as_ref()?, state)));
    lost.into_iter().chain(there).collect()
}

fn input_status(publisher: &Publisher, state: StreamInputState) -> StreamInput {
    StreamInput {
        kind: publisher.input.into(),
        role: publisher.role,
        state,
        peer: placed(publisher.peer),
        client: named(publisher.client.clone()),
    }
}

/// An input that has no address of a peer shows port 0.
fn placed(peer: SocketAddr) -> Option<SocketAddr> {
    Some(peer).filter(|peer| peer.port() > 0)
}

fn named(client: String) -> Option<String> {
    Some(client).filter(|client| !client.is_empty())
}

/// Pictures a second of the default video track.
fn fps(snapshot: &StreamSnapshot) -> Option<f64> {
    let mut tracks = snapshot.figures.tracks.iter();
    tracks
        .find(|track| track.track == Track::VIDEO)
        .and_then(|track| track.pace.fps())
}

fn track_status(track: &TrackFigures, headers: &Headers) -> TrackStatus {
    let header = headers.iter().find(|tag| {
        tag.shape.class == Class::SequenceHeader
            && tag.shape.track == track.track
            && tag.shape.codec == track.codec
    });
    let description = header.map(|tag| Description::of(&tag.shape, &tag.payload));
    let said = description.unwrap_or_default();
    let hundredths = |rate: f64| (rate * 100.0).round() / 100.0;
    TrackStatus {
        kind: match track.track.kind {
            MediaKind::Video => TrackKind::Video,
            MediaKind::Audio => TrackKind::Audio,
            MediaKind::Data => TrackKind::Data,
        },
        id: match track.track.id {
            TrackId::One(id) => id,
            TrackId::Several => 0,
        },
        codec: track.codec.to_string(),
        profile: said.profile,
        level: said.level,
        width: said.picture.map(|picture| picture.width),
        height: said.picture.map(|picture| picture.height),
        frame_rate: said.frame_rate.map(hundredths),
        sample_rate: said.sample_rate,
        channels: said.channels,
        bitrate: track.pace.bitrate(),
        fps: track.pace.fps(),
    }
}

fn repair_counts(repairs: &Repairs) -> RepairCounts {
    RepairCounts {
        clamp: repairs.of(RepairKind::Clamp),
        rebase: repairs.of(RepairKind::Rebase),
        gap: repairs.of(RepairKind::Gap),
        wrap: repairs.of(RepairKind::Wrap),
        cts: repairs.of(RepairKind::Cts),
        stuck: repairs.of(RepairKind::Stuck),
    }
}

fn drop_counts(drops: Drops) -> DropCounts {
    DropCounts {
        before_keyframe: drops.before_keyframe,
        no_header: drops.no_header,
        headers_full: drops.headers_full,
        malformed: drops.malformed,
    }
}
