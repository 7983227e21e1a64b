//! Which answer is owed to which call of a publisher?

use super::{
    PublishRequest, STATUS_CSID, ServerError, ServerEvent, ServerSession, Stage, UNPUBLISHED,
    UnpublishReason,
};
use crate::rtmp::amf0::Value;
use crate::rtmp::command::Command;
use crate::rtmp::limits::{CREATE_STREAMS_MAX, NAME_BYTES_MAX};
use crate::rtmp::session::address;
use crate::rtmp::session::connect::{self, object};
use crate::rtmp::session::link::COMMAND_CSID;

type Outcome = Result<Option<ServerEvent>, ServerError>;

impl ServerSession {
    /// Takes one command that came on this message stream.
    pub(super) fn call(&mut self, stream_id: u32, command: &Command) -> Outcome {
        self.talk.command();
        let name = command.name.as_str();
        if matches!(self.stage, Stage::Fresh) && name != "connect" {
            return Err(ServerError::NotConnected);
        }
        match name {
            "connect" => self.connect(command),
            "createStream" => self.create_stream(command.transaction),
            "publish" => self.publish(stream_id, command),
            // Others answer with undefined, which xiu's reader does not know.
            "FCPublish" => {
                self.fc_publish = true;
                self.result(command.transaction, Value::Null)
            }
            // Haivision waits for the answer to _checkbw before it creates a stream.
            "releaseStream" | "getStreamLength" | "FCSubscribe" | "_checkbw" => {
                self.result(command.transaction, Value::Null)
            }
            "FCUnpublish" => self.fc_unpublish(command.transaction),
            "deleteStream" => {
                Ok(self.unpublish(UnpublishReason::DeleteStream, |ours| deletes(ours, command)))
            }
            "closeStream" | "close" => Ok(self.unpublish(UnpublishReason::CloseStream, |ours| {
                stream_id == ours || stream_id == 0
            })),
            // Answers to calls that we never made.
            "_result" | "_error" | "onStatus" => Ok(None),
            _ => self.unknown(command),
        }
    }

    fn connect(&mut self, command: &Command) -> Outcome {
        if !matches!(self.stage, Stage::Fresh) {
            return Err(ServerError::SecondConnect);
        }
        let request = connect::request(command);
        let longest = request
            .app
            .len()
            .max(request.tc_url.len())
            .max(request.query.expose().len());
        if longest > NAME_BYTES_MAX {
            return Err(ServerError::NameTooLong);
        }
        self.stage = Stage::ConnectAsked {
            transaction: command.transaction,
            request: request.clone(),
        };
        Ok(Some(ServerEvent::ConnectRequested(request)))
    }

    fn create_stream(&mut self, transaction: f64) -> Outcome {
        self.streams += 1;
        if self.streams > CREATE_STREAMS_MAX {
            return Err(ServerError::TooManyStreams);
        }
        self.result(transaction, f64::from(self.streams).into())
    }

    /// The type (live, record, append, or what older programs put there) makes no difference: we relay.
    fn publish(&mut self, stream_id: u32, command: &Command) -> Outcome {
        let Stage::Connected(connected) = &self.stage else {
            return Err(ServerError::SecondPublish);
        };
        let name = command
            .args
            .first()
            .and_then(Value::as_str)
            .unwrap_or_default();
        if name.len() > NAME_BYTES_MAX {
            return Err(ServerError::NameTooLong);
        }
        match address::stream(&connected.app, &connected.tc_url, name) {
            Some((app, name)) => {
                let request = PublishRequest {
                    app,
                    name,
                    query: connected.query.clone(),
                };
                self.stage = Stage::PublishAsked { stream_id };
                Ok(Some(ServerEvent::PublishRequested(request)))
            }
            None => {
                self.on_status(
                    stream_id,
                    "error",
                    "NetStream.Publish.BadName",
                    "The stream has no name.",
                );
                Err(ServerError::NoStreamName)
            }
        }
    }

    fn fc_unpublish(&mut self, transaction: f64) -> Outcome {
        let event = match self.stage {
            Stage::Publishing { stream_id } => {
                let info = object([
                    ("code", UNPUBLISHED.into()),
                    ("description", "Stream is unpublished.".into()),
                ]);
                self.link.command(
                    STATUS_CSID,
                    stream_id,
                    "onFCUnpublish",
                    0.0,
                    Value::Null,
                    vec![info],
                );
                self.stage = Stage::Unpublished {
                    stream_id,
                    told: false,
                };
                Some(ServerEvent::Unpublished(UnpublishReason::FcUnpublish))
            }
            _ => None,
        };
        self.result(transaction, Value::Null)?;
        Ok(event)
    }

    /// Ends the stream where `means` says that the call is about ours. A publisher that says it in two ways is told once and
    /// raises one event.
    fn unpublish(
        &mut self,
        reason: UnpublishReason,
        means: impl Fn(u32) -> bool,
    ) -> Option<ServerEvent> {
        let (stream_id, first) = match self.stage {
            Stage::Publishing { stream_id } => (stream_id, true),
            Stage::Unpublished {
                stream_id,
                told: false,
            } => (stream_id, false),
            _ => return None,
        };
        if !means(stream_id) {
            return None;
        }
        self.tell_unpublished(stream_id);
        self.stage = Stage::Unpublished {
            stream_id,
            told: true,
        };
        first.then_some(ServerEvent::Unpublished(reason))
    }

    /// A call with transaction 0 wants no answer. Any other number is echoed bit for bit, whatever it is.
    fn result(&mut self, transaction: f64, value: Value) -> Outcome {
        if transaction != 0.0 {
            self.link.command(
                COMMAND_CSID,
                0,
                "_result",
                transaction,
                Value::Null,
                vec![value],
            );
        }
        Ok(None)
    }

    fn unknown(&mut self, command: &Command) -> Outcome {
        if command.transaction != 0.0 {
            let info = connect::status("error", "NetConnection.Call.Failed", "Method not found.");
            self.link.command(
                COMMAND_CSID,
                0,
                "_error",
                command.transaction,
                Value::Null,
                vec![info],
            );
        }
        Ok(None)
    }
}

/// Whether a deleteStream is about our stream. GStreamer sends the name instead of the number and others nothing at all, so
/// only a number that is another stream's, or none's, is not. A publish on stream 0 ends with any of them.
fn deletes(ours: u32, command: &Command) -> bool {
    match command.args.first().and_then(Value::as_number) {
        Some(number) => number == f64::from(ours) || (ours == 0 && number >= 0.0),
        None => true,
    }
}
