//! What does an ingest's command mean for the push?

use std::time::Duration;

use super::{ClientEvent, ClientSession, Fault, Step, transaction};
use crate::rtmp::command::Command;
use crate::rtmp::limits::REDIRECT_URL_BYTES_MAX;
use crate::rtmp::session::answer::{Denial, code, denial, ended, level, stream_number, text_of};
use crate::rtmp::session::{Action, Meaning, Stage, meaning};
use crate::secret::Secret;

impl ClientSession {
    /// Takes one command of the server.
    pub(super) fn answer(
        &mut self,
        command: &Command,
        now: Duration,
    ) -> Result<Option<ClientEvent>, Fault> {
        self.talk.command();
        Ok(match command.name.as_str() {
            "_result" => return self.result(command, now),
            "_error" => self.error(command),
            "onStatus" => self.status(command),
            // Adobe's servers may refuse a name here already; the start itself is onStatus's to say.
            "onFCPublish" => match meaning(self.stage(), level(command), code(command)) {
                Meaning::Refused(action) => Some(self.refuse(command, action)),
                _ => None,
            },
            "onFCUnpublish" if self.is_over_the_start() => Some(self.end(command)),
            "close" => Some(self.end(command)),
            _ => None,
        })
    }

    /// A result with transaction 0 is taken for the pending call's, as gortmplib does.
    fn result(&mut self, command: &Command, now: Duration) -> Result<Option<ClientEvent>, Fault> {
        let answers = |call: f64| command.transaction == call || command.transaction == 0.0;
        match self.step {
            Step::Connecting if answers(transaction::CONNECT) => {
                // OBS and FFmpeg go on whatever the result says; one that calls itself an error is none.
                if let Meaning::Refused(action) =
                    meaning(Stage::Connect, level(command), code(command))
                {
                    return Ok(Some(self.refuse(command, action)));
                }
                self.create_stream();
            }
            Step::Creating if answers(transaction::CREATE_STREAM) => {
                let number = command.args.first().unwrap_or(&command.object).as_number();
                match number.and_then(stream_number) {
                    Some(stream_id) => self.publish(stream_id),
                    // That of releaseStream or FCPublish.
                    None if number.is_none() && command.transaction == 0.0 => {}
                    None => return Err(Fault::StreamNumber),
                }
            }
            Step::Publishing(None) if answers(transaction::PUBLISH) => {
                self.step = Step::Publishing(Some(now))
            }
            _ => {}
        }
        Ok(None)
    }

    /// An error for releaseStream or FCPublish is nothing: servers that do not know them say so.
    fn error(&mut self, command: &Command) -> Option<ClientEvent> {
        let ours = match self.step {
            Step::Connecting => true,
            Step::Creating => command.transaction == transaction::CREATE_STREAM,
            Step::Publishing(_) => {
                command.transaction == transaction::PUBLISH || command.transaction == 0.0
            }
            Step::Live | Step::Finishing(_) | Step::Over(_) => false,
        };
        if !ours {
            return None;
        }
        let action = match meaning(self.stage(), "error", code(command)) {
            Meaning::Refused(action) => action,
            _ => Action::RetryBackoff,
        };
        Some(self.refuse(command, action))
    }

    fn status(&mut self, command: &Command) -> Option<ClientEvent> {
        match meaning(self.stage(), level(command), code(command)) {
            Meaning::Started if matches!(self.step, Step::Publishing(_)) => Some(self.start()),
            Meaning::Refused(action) => Some(self.refuse(command, action)),
            // Before the start it is the end of somebody else's publication, which releaseStream may have brought about.
            Meaning::Ended
                if self.is_over_the_start() || code(command) != "NetStream.Unpublish.Success" =>
            {
                Some(self.end(command))
            }
            Meaning::Reconnect if self.step == Step::Live => {
                let tc_url = text_of(command, "tcUrl")
                    .filter(|url| !url.is_empty() && url.len() <= REDIRECT_URL_BYTES_MAX);
                Some(ClientEvent::ReconnectRequest {
                    tc_url: tc_url.map(Secret::from),
                })
            }
            _ => None,
        }
    }

    fn is_over_the_start(&self) -> bool {
        matches!(self.step, Step::Live | Step::Finishing(_))
    }

    fn refuse(&mut self, command: &Command, action: Action) -> ClientEvent {
        let stage = self.stage();
        self.step = Step::Over(stage);
        match denial(command, stage, action, &self.config.name) {
            Denial::Refused(refused) => ClientEvent::Refused(refused),
            Denial::Redirect(redirect) => ClientEvent::Redirect(redirect),
            Denial::Auth(challenge) => ClientEvent::Auth(challenge),
        }
    }

    fn end(&mut self, command: &Command) -> ClientEvent {
        self.step = Step::Over(self.stage());
        ClientEvent::Ended(ended(command, &self.config.name))
    }
}
