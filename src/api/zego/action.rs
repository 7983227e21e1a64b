//! What a caller can ask for.

use super::Environment;
use super::answer::Code;

/// The actions that this door knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// Relays a stream to an address.
    Create,
    /// Ends the relay to an address.
    Delete,
    /// Forgets a stream's relays that do not run.
    Clear,
    /// Says where to publish a stream, as a URL.
    Dispatch,
    /// The same as a host and a port.
    DispatchHost,
    /// Says whether a stream is live.
    Describe,
    /// Ends a stream's publish, and lets nobody publish it any more.
    Forbid,
    /// Lets it be published again.
    Resume,
}

impl Action {
    /// Case-sensitive. The vendor spells the first one without its second e; the other spelling is what people type.
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "CreatCDNTransferRule" | "CreateCDNTransferRule" => Some(Self::Create),
            "DeleteCDNTransferRule" => Some(Self::Delete),
            "ClearCDNTransferRule" => Some(Self::Clear),
            "RTMPDispatchV2" => Some(Self::Dispatch),
            "RTMPDispatch" => Some(Self::DispatchHost),
            "DescribeRTCStreamState" => Some(Self::Describe),
            "ForbidRTCStream" => Some(Self::Forbid),
            "ResumeRTCStream" => Some(Self::Resume),
            _ => None,
        }
    }

    /// How many calls of it an app has within a second.
    pub(super) fn rate(self, environment: Environment) -> usize {
        let (production, test) = match self {
            Self::Create | Self::Delete | Self::Clear => (10, 5),
            // The vendor names no other number for the test environment.
            Self::Dispatch | Self::DispatchHost => (40, 40),
            Self::Describe => (40, 10),
            Self::Forbid | Self::Resume => (20, 5),
        };
        match environment {
            Environment::Production => production,
            Environment::Test => test,
        }
    }

    /// The code for an address that is not well-formed: 30001 is not in the vendor's table for deletions.
    pub(super) fn address_format(self) -> Code {
        match self {
            Self::Create => Code::AddressFormat,
            _ => Code::AddressRefused,
        }
    }
}
