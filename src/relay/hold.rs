//! Who feeds a stream, how that publisher came, and how it went.

/// How a stream ended. All that was received is delivered in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Somebody ended it: the publisher, an operator, or the gateway.
    Clean,
    /// The publisher's connection was lost, or timed out, and it did not come back in time.
    Lost,
}

/// Who feeds a stream at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Counts the publishers from 0. Who holds an older one may not append any more.
    pub epoch: u64,
    /// Whether that publisher is there.
    pub presence: Presence,
}

/// Whether a stream's publisher is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is.
    Fed,
    /// Its connection was lost, and it may come back within the time of grace.
    Away,
    /// It has not come yet, and the stream is to begin with it; the other input stands by.
    Reserved,
    /// Nobody comes any more.
    Ended(End),
}

/// How a publisher came to its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The stream began with it.
    New,
    /// It took the stream over from one that was there.
    Takeover,
    /// The one before had lost its connection.
    Return,
    /// It is the stream's other input: it stands by, or the stream was [reserved](Presence::Reserved) for it.
    Beside,
}
