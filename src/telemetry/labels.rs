//! The closed sets that label values come from. A value that a peer can choose is never a label.

use crate::media::MediaKind;

pub use crate::media::timeline::RepairKind;
pub use crate::rule::Role;

/// One value of a closed set.
pub trait Label: Copy + Eq + 'static {
    /// Every value of the set. All of them are there from the start, at zero.
    const ALL: &'static [Self];

    /// The value as it stands in a metric and in the log.
    fn as_str(self) -> &'static str;

    /// The value's place in [`ALL`](Self::ALL).
    fn place(self) -> usize {
        Self::ALL
            .iter()
            .position(|known| *known == self)
            .unwrap_or_default()
    }
}

/// Declares an enum and its texts in one place, so that no value is forgotten in [`Label::ALL`].
macro_rules! label_set {
    ($(#[$set:meta])* $name:ident { $($(#[$value:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$set])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$value])* $variant,)+
        }

        impl Label for $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)+];

            fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            fn place(self) -> usize {
                self as usize
            }
        }
    };
}

impl Label for MediaKind {
    const ALL: &'static [Self] = &[Self::Video, Self::Audio, Self::Data];

    fn as_str(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Data => "data",
        }
    }
}

impl Label for RepairKind {
    const ALL: &'static [Self] = &Self::ALL;

    fn as_str(self) -> &'static str {
        match self {
            Self::Clamp => "clamp",
            Self::Rebase => "rebase",
            Self::Gap => "gap",
            Self::Wrap => "wrap",
            Self::Cts => "cts",
            Self::Stuck => "stuck",
        }
    }
}

impl Label for Role {
    const ALL: &'static [Self] = &[Self::Main, Self::Backup];

    fn as_str(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Backup => "backup",
        }
    }
}

label_set! {
    /// Why a tag was left out, for all targets or for one.
    DropReason {
        /// It came before the first keyframe, so nothing could decode it.
        BeforeKeyframe = "before_keyframe",
        /// Its decoder configuration never came.
        NoHeader = "no_header",
        /// More headers than are kept.
        HeadersFull = "headers_full",
        /// Cut short, or of a form that no specification has.
        Malformed = "malformed",
        /// A target was behind, and no other frame needs it.
        Disposable = "disposable",
        /// A target was further behind, and given no pictures up to a keyframe.
        UntilKeyframe = "until_keyframe",
        /// A target was so slow that the ring went on without it.
        Overtaken = "overtaken",
    }
}

label_set! {
    /// Why a publisher may not publish.
    PublishRefusal {
        /// No key, or a wrong one.
        Auth = "auth",
        /// No such app.
        App = "app",
        /// Its address has shown too many wrong keys.
        TooOften = "too_often",
        /// The app's publish hook says no.
        Hook = "hook",
        /// The app's publish hook gives no answer.
        HookDown = "hook_down",
        /// A name that no stream can have.
        Name = "name",
        /// The stream has a publisher that stays, or waits for one that was lost.
        Busy = "busy",
        /// The name is forbidden, or its publisher was kicked a short while ago.
        Barred = "barred",
        /// The gateway carries as many streams as it may.
        Full = "full",
        /// The gateway is shutting down.
        Draining = "draining",
        /// Its address has as many connections as one address may.
        AddressLimit = "address_limit",
        /// Its address has more of the strangers' room than is left for all others.
        AddressShare = "address_share",
        /// Its address begins connections faster than one address may.
        AddressRate = "address_rate",
    }
}

label_set! {
    /// Why a publish ended.
    PublishEnd {
        /// The publisher said so.
        Unpublished = "unpublished",
        /// The publisher closed without saying so.
        Closed = "closed",
        /// The connection broke.
        Lost = "lost",
        /// Nothing came for too long.
        Idle = "idle",
        /// What came was not RTMP, or beyond its bounds.
        Protocol = "protocol",
        /// Another publisher took the stream over.
        TakenOver = "taken_over",
        /// An operator ended it.
        Kicked = "kicked",
        /// The gateway is shutting down.
        Draining = "draining",
    }
}

label_set! {
    /// Why a stream ended.
    StreamEnd {
        /// Its publisher, an operator or the gateway ended it.
        Finished = "finished",
        /// Its publisher was lost, and did not return within the time of grace.
        Lost = "lost",
    }
}

label_set! {
    /// Why a connection was closed before it published, or before it asked a door for anything.
    Rejection {
        /// The address has as many connections to the doors as one address may. Publishers' addresses are
        /// [`PublishRefusal`]'s.
        AddressLimit = "address_limit",
        /// The TLS handshake failed.
        Tls = "tls",
        /// The RTMP handshake or what followed it was not RTMP, or beyond its bounds.
        Protocol = "protocol",
        /// It did not get to publish in time.
        Timeout = "timeout",
    }
}

label_set! {
    /// Why an attempt on a target, or a push that was live, came to its end.
    Setback {
        /// The name does not resolve.
        Dns = "dns",
        /// The address policy refuses the address.
        Denied = "denied",
        /// The target is one of our own listeners.
        OwnListener = "own_listener",
        /// The peer refuses connections.
        Refused = "refused",
        /// No route to the peer.
        Unreachable = "unreachable",
        /// The peer did not answer in time, at any step.
        Timeout = "timeout",
        /// TLS failed.
        Tls = "tls",
        /// The RTMP handshake failed, or what came was not RTMP.
        Protocol = "protocol",
        /// The CDN asks for credentials, or refuses those it got.
        Auth = "auth",
        /// The CDN sends elsewhere once too often, or where nothing may be sent.
        Redirect = "redirect",
        /// The CDN says that the name is in use, or wrong.
        BadName = "bad_name",
        /// The CDN refuses with another code.
        Rejected = "rejected",
        /// The CDN ended the session and said so.
        Ended = "ended",
        /// The peer closed without a word.
        Closed = "closed",
        /// The connection broke.
        Reset = "reset",
        /// The stream has another codec, for which the push began anew.
        Codec = "codec",
        /// The session's clock neared its end, for which the push began anew.
        Clock = "clock",
        /// The peer took no bytes for too long.
        Stalled = "stalled",
        /// The CDN asked for a new connection.
        Moved = "moved",
        /// A fault of the gateway's own.
        Internal = "internal",
    }
}

label_set! {
    /// What became of a notification.
    NotificationResult {
        /// Its receiver took it.
        Delivered = "delivered",
        /// It was tried as often as it may.
        GivenUp = "given_up",
        /// Too many waited before it.
        QueueFull = "queue_full",
        /// The gateway, or the configuration that wished for it, came to its end.
        Ending = "ending",
    }
}

label_set! {
    /// What the store failed at.
    StoreOperation {
        /// Opening the store.
        Open = "open",
        /// Reading rules.
        Load = "load",
        /// Storing a rule.
        Store = "store",
        /// Deleting a rule.
        Delete = "delete",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::hash::Hash;

    fn check<L: Label + Hash + std::fmt::Debug>() {
        let texts: HashSet<_> = L::ALL.iter().map(|label| label.as_str()).collect();
        assert_eq!(texts.len(), L::ALL.len(), "two values with one text");
        for (place, label) in L::ALL.iter().enumerate() {
            assert_eq!(label.place(), place, "{label:?}");
            assert!(
                label
                    .as_str()
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
                "{label:?}"
            );
        }
    }

    #[test]
    fn every_set_is_whole_and_plain() {
        check::<MediaKind>();
        check::<DropReason>();
        check::<RepairKind>();
        check::<PublishRefusal>();
        check::<PublishEnd>();
        check::<StreamEnd>();
        check::<Rejection>();
        check::<Setback>();
        check::<StoreOperation>();
        check::<NotificationResult>();
    }
}
