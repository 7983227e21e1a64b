//! How much may a peer say before it comes to the point?

use crate::rtmp::limits::{COMMANDS_MAX, MESSAGES_BEFORE_PUBLISH_MAX};

/// What a peer has said so far. It counts until media flows.
#[derive(Debug, Default)]
pub(super) struct Talk {
    messages: u32,
    commands: u32,
}

impl Talk {
    /// Counts a command, which is within a message.
    pub(super) fn command(&mut self) {
        self.commands = self.commands.saturating_add(1);
    }

    /// Counts a message; `false` where it, or its command, was one too many.
    pub(super) fn message(&mut self) -> bool {
        self.messages = self.messages.saturating_add(1);
        self.messages <= MESSAGES_BEFORE_PUBLISH_MAX && self.commands <= COMMANDS_MAX
    }
}
