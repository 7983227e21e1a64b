//! Whom the gateway may call.
//!
//! A target's URL comes from whoever may write rules; without a policy that person could reach everything that this
//! machine can. A resolved address is judged at every attempt, and only a judged address is connected to.

use std::net::{IpAddr, Ipv4Addr};

use super::address::{AddressClass, classify};
use super::literal::{address_literal, is_localhost};

/// Which addresses may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AddressPolicy {
    /// Permit addresses of networks of one's own: loopback, private, link-local and their like. Addresses that can
    /// be no target at all (unspecified, multicast, broadcast, documentation, reserved) stay refused.
    pub allow_private: bool,
}

/// An address that may not be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{address} is {} {class} address{}", article(.class), hint(.class))]
pub struct Denied {
    /// The address.
    pub address: IpAddr,
    /// Why.
    pub class: AddressClass,
}

impl AddressPolicy {
    /// Judges an address that is about to be connected to.
    ///
    /// # Errors
    /// [`Denied`] with the class of the address.
    pub const fn judge(&self, address: IpAddr) -> Result<(), Denied> {
        let class = classify(address);
        match class {
            AddressClass::Public => Ok(()),
            _ if class.is_private() && self.allow_private => Ok(()),
            _ => Err(Denied { address, class }),
        }
    }

    /// Judges a host by its text alone, for doors that answer at once: a literal address in any spelling, and
    /// `localhost` with all that is below it. Any other name passes here and is judged once it is resolved.
    ///
    /// # Errors
    /// [`Denied`] with the address that the text stands for.
    pub fn judge_host_literal(&self, host: &str) -> Result<(), Denied> {
        if let Some(address) = address_literal(host) {
            return self.judge(address);
        }
        if is_localhost(host) {
            return self.judge(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        Ok(())
    }
}

fn article(class: &AddressClass) -> &'static str {
    match class {
        AddressClass::Unspecified => "an",
        _ => "a",
    }
}

/// Says which key would permit the address, where one would.
fn hint(class: &AddressClass) -> &'static str {
    if class.is_private() {
        ", refused unless egress.allow_private_addresses is true"
    } else {
        ", which is never called"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: AddressPolicy = AddressPolicy {
        allow_private: false,
    };
    const OPEN: AddressPolicy = AddressPolicy {
        allow_private: true,
    };

    #[test]
    fn only_public_addresses_pass_unless_private_ones_are_permitted() {
        // (address, passes by default, passes with allow_private)
        let table: &[(&str, bool, bool)] = &[
            ("8.8.8.8", true, true),
            ("2606:4700:4700::1111", true, true),
            ("64:ff9b::8.8.8.8", true, true),
            ("127.0.0.1", false, true),
            ("::1", false, true),
            ("10.0.0.1", false, true),
            ("192.168.1.1", false, true),
            ("169.254.169.254", false, true),
            ("100.64.0.1", false, true),
            ("198.18.0.1", false, true),
            ("fd00::1", false, true),
            ("fec0::1", false, true),
            ("fe80::1", false, true),
            ("64:ff9b:1::1", false, true),
            ("::ffff:127.0.0.1", false, true),
            ("0.0.0.0", false, false),
            ("::", false, false),
            ("::ffff:0.0.0.0", false, false),
            ("2002::1", false, false),
            ("224.0.0.1", false, false),
            ("ff02::1", false, false),
            ("255.255.255.255", false, false),
            ("240.0.0.1", false, false),
            ("192.0.2.1", false, false),
            ("2001:db8::1", false, false),
        ];
        for (text, strict, open) in table {
            let address = text.parse().unwrap();
            assert_eq!(STRICT.judge(address).is_ok(), *strict, "strict {text}");
            assert_eq!(OPEN.judge(address).is_ok(), *open, "open {text}");
        }
    }

    #[test]
    fn doors_see_through_every_spelling() {
        for host in [
            "127.0.0.1",
            "2130706433",
            "0x7f.1",
            "127.1",
            "017700000001",
            "localhost",
            "localhost.",
            "x.localhost",
            "[::1]",
            "[::ffff:7f00:1]",
            "192.168.0.1",
            "[fe80::1%25eth0]",
        ] {
            assert!(STRICT.judge_host_literal(host).is_err(), "{host}");
            assert_eq!(OPEN.judge_host_literal(host), Ok(()), "{host}");
        }
        for host in ["0", "0.0.0.0", "[::]", "0x0", "255.255.255.255"] {
            assert!(OPEN.judge_host_literal(host).is_err(), "{host}");
        }
        for host in ["live.example", "8.8.8.8", "134744072", "[2606:4700::1]"] {
            assert_eq!(STRICT.judge_host_literal(host), Ok(()), "{host}");
        }
    }

    #[test]
    fn a_refusal_names_the_key_where_one_helps() {
        let private = STRICT.judge([10, 0, 0, 1].into()).unwrap_err();
        assert_eq!(
            private.to_string(),
            "10.0.0.1 is a private address, refused unless egress.allow_private_addresses is true"
        );
        let nowhere = OPEN.judge([0, 0, 0, 0].into()).unwrap_err();
        assert_eq!(
            nowhere.to_string(),
            "0.0.0.0 is an unspecified address, which is never called"
        );
    }
}
