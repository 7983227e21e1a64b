//! Faults that are planted between the gateway and a target's reading, to see that the soak would notice them.

use aqueduct::media::MediaKind;
use aqueduct::rtmp::session::Media;
use bytes::Bytes;

/// The picture, counted from 0, that the fault befalls: none that begins a GOP.
const STRUCK: u32 = 40;

/// What a gateway that is broken might do to a healthy target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// One picture is lost.
    Loses,
    /// One picture comes twice.
    Repeats,
    /// Two pictures come in the wrong order.
    Swaps,
    /// One picture's stamp is smaller than the one before.
    StepsBack,
    /// One picture has the stamp of the one before.
    StandsStill,
    /// From one picture on, all stamps are seconds later.
    Jumps,
    /// From one picture on, the sound is late.
    Shifts,
    /// A payload is not what was sent.
    Alters,
    /// The video header does not come.
    Beheads,
    /// The first keyframe does not come.
    BeginsAnywhere,
    /// The connection ends in the middle.
    Breaks,
    /// Nothing comes at all.
    Swallows,
}

/// Lies between a connection and its reading.
pub struct Spoiler {
    plant: Option<Plant>,
    pictures: u32,
    held: Option<Media>,
    last_stamp: u32,
}

impl Spoiler {
    /// Without a plant, one that spoils nothing.
    pub fn new(plant: Option<Plant>) -> Self {
        Self {
            plant,
            pictures: 0,
            held: None,
            last_stamp: 0,
        }
    }

    /// What arrives in place of a message; `None` where the connection breaks.
    pub fn pass(&mut self, mut media: Media) -> Option<Vec<Media>> {
        let Some(plant) = self.plant else {
            return Some(vec![media]);
        };
        let is_header = media.payload.get(1) == Some(&0);
        let is_picture = media.kind == MediaKind::Video && !is_header;
        let is_struck = is_picture && self.pictures == STRUCK;
        let is_behind = self.pictures > STRUCK;
        let last_stamp = self.last_stamp;
        if is_picture {
            self.pictures += 1;
            self.last_stamp = media.timestamp;
        }
        let passed = match plant {
            Plant::Loses if is_struck => vec![],
            Plant::Repeats if is_struck => vec![media.clone(), media],
            Plant::Swaps if is_struck => {
                self.held = Some(media);
                vec![]
            }
            Plant::Swaps if is_picture => [Some(media), self.held.take()]
                .into_iter()
                .flatten()
                .collect(),
            Plant::StepsBack if is_struck => {
                media.timestamp = last_stamp.wrapping_sub(200);
                vec![media]
            }
            Plant::StandsStill if is_struck => {
                media.timestamp = last_stamp;
                vec![media]
            }
            Plant::Jumps if is_struck || is_behind => {
                media.timestamp = media.timestamp.wrapping_add(5000);
                vec![media]
            }
            Plant::Shifts if is_behind && media.kind == MediaKind::Audio => {
                media.timestamp = media.timestamp.wrapping_add(500);
                vec![media]
            }
            Plant::Alters if is_struck => {
                let mut bytes = media.payload.to_vec();
                if let Some(last) = bytes.last_mut() {
                    *last ^= 1;
                }
                media.payload = Bytes::from(bytes);
                vec![media]
            }
            Plant::Beheads if is_header && media.kind == MediaKind::Video => vec![],
            Plant::BeginsAnywhere if is_picture && self.pictures == 1 => vec![],
            Plant::Breaks if is_struck => return None,
            Plant::Swallows => vec![],
            _ => vec![media],
        };
        Some(passed)
    }
}
