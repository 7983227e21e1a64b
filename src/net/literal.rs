//! Hosts that name an address without asking a resolver.
//!
//! Resolvers take more than dotted quads: C libraries read `2130706433`, `0x7f.1` and `127.1` as 127.0.0.1. Whoever
//! checks a host by its text has to read them the same way, or the check is one number base away from being bypassed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address that `host` spells out, if it is a literal: dotted quad, any form that inet_aton reads (one to four
/// parts, each decimal, octal or hexadecimal, a final dot allowed), or IPv6 with or without brackets or a zone.
pub fn address_literal(host: &str) -> Option<IpAddr> {
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host);
    if bare.contains(':') {
        let without_zone = bare.split('%').next().unwrap_or(bare);
        return without_zone.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    inet_aton(bare.strip_suffix('.').unwrap_or(bare)).map(IpAddr::V4)
}

/// Whether `host` is `localhost` or below it; such a name is loopback whatever a resolver says (RFC 6761).
pub fn is_localhost(host: &str) -> bool {
    let bare = host.strip_suffix('.').unwrap_or(host);
    let last = bare.rsplit('.').next().unwrap_or(bare);
    last.eq_ignore_ascii_case("localhost")
}

/// Reads one to four numbers; the last fills all the bytes that the others leave.
fn inet_aton(text: &str) -> Option<Ipv4Addr> {
    let mut parts = [0_u64; 4];
    let mut count = 0_usize;
    for part in text.split('.') {
        *parts.get_mut(count)? = number(part)?;
        count += 1;
    }
    let (last, leading) = parts.get(..count)?.split_last()?;
    let free_bytes = 4_u32.checked_sub(u32::try_from(leading.len()).ok()?)?;
    if *last >= 1_u64 << (8 * free_bytes) {
        return None;
    }
    let mut address = *last;
    let mut shift = 32_u32;
    for part in leading {
        if *part > 0xff {
            return None;
        }
        shift = shift.checked_sub(8)?;
        address |= part << shift;
    }
    u32::try_from(address).ok().map(Ipv4Addr::from)
}

/// A number with C's prefixes: `0x` hexadecimal, `0` octal, else decimal.
fn number(text: &str) -> Option<u64> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (text.get(2..)?, 16),
        [b'0', _, ..] => (text.get(1..)?, 8),
        _ => (text, 10),
    };
    // A bare `0x` is zero to C libraries, so it is no host name either.
    if digits.is_empty() && radix == 16 {
        return Some(0);
    }
    // `from_str_radix` would take a sign.
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_spelling_of_an_address_is_read() {
        let table: &[(&str, Option<&str>)] = &[
            ("127.0.0.1", Some("127.0.0.1")),
            ("127.0.0.1.", Some("127.0.0.1")),
            ("2130706433", Some("127.0.0.1")),
            ("0x7f000001", Some("127.0.0.1")),
            ("0X7F000001", Some("127.0.0.1")),
            ("017700000001", Some("127.0.0.1")),
            ("127.1", Some("127.0.0.1")),
            ("127.0.1", Some("127.0.0.1")),
            ("127.65535", Some("127.0.255.255")),
            ("0x7f.1", Some("127.0.0.1")),
            ("0x7f.0.0.0x1", Some("127.0.0.1")),
            ("0177.0.0.01", Some("127.0.0.1")),
            ("10.0x10.020.1", Some("10.16.16.1")),
            ("0", Some("0.0.0.0")),
            ("0x", Some("0.0.0.0")),
            ("4294967295", Some("255.255.255.255")),
            ("4294967296", None),
            ("256.0.0.1", None),
            ("127.0.0.256", None),
            ("127.16777216", None),
            ("08.0.0.1", None),
            ("1.2.3.4.5", None),
            ("1..2", None),
            ("", None),
            (".", None),
            ("+1", None),
            ("-1", None),
            ("1.2.3.4 ", None),
            ("::1", Some("::1")),
            ("[::1]", Some("::1")),
            ("[::ffff:127.0.0.1]", Some("::ffff:127.0.0.1")),
            ("fe80::1%eth0", Some("fe80::1")),
            ("[fe80::1%25eth0]", Some("fe80::1")),
            ("[::1", None),
            ("[]", None),
            ("live.example", None),
            ("cafe", None),
            ("0xcafe.example", None),
        ];
        for (host, expected) in table {
            let expected = expected.map(|text| text.parse::<IpAddr>().unwrap());
            assert_eq!(address_literal(host), expected, "{host:?}");
        }
    }

    #[test]
    fn localhost_is_known_in_every_spelling() {
        for host in [
            "localhost",
            "LocalHost",
            "localhost.",
            "a.localhost",
            "a.b.LOCALHOST.",
        ] {
            assert!(is_localhost(host), "{host}");
        }
        for host in [
            "localhost.example",
            "notlocalhost",
            "local",
            "",
            "localhost..",
        ] {
            assert!(!is_localhost(host), "{host}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn no_text_panics(host in ".{0,64}") {
            let _ = address_literal(&host);
            let _ = is_localhost(&host);
        }

        #[test]
        fn all_forms_of_a_number_agree(bits: u32) {
            let expected = Some(IpAddr::V4(Ipv4Addr::from(bits)));
            for form in [
                bits.to_string(),
                format!("{bits:#x}"),
                format!("0{bits:o}"),
                Ipv4Addr::from(bits).to_string(),
                format!("{}.{}", bits >> 24, bits & 0x00ff_ffff),
                format!("{}.{:#x}.{}", bits >> 24, bits >> 16 & 0xff, bits & 0xffff),
            ] {
                prop_assert_eq!(address_literal(&form), expected, "{}", form);
            }
        }
    }
}
