//! Which kind of network an address belongs to.
//!
//! IPv4 is judged by the special-purpose registry (RFC 6890 and what followed it). IPv6 is judged the other way round:
//! only 2000::/3 and the well-known NAT64 prefix are public, everything else is special until a registry says more.
//! An IPv6 address that carries an IPv4 address leads to that address, so the carried one is judged.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The kind of network that an address belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressClass {
    /// Reachable by everyone.
    Public,
    /// 0.0.0.0/8 and `::`. Connecting there reaches this machine.
    Unspecified,
    /// 127.0.0.0/8 and `::1`.
    Loopback,
    /// 10/8, 172.16/12, 192.168/16 (RFC 1918).
    Private,
    /// 100.64.0.0/10, shared behind a carrier's NAT (RFC 6598); some clouds keep their metadata service here.
    CarrierNat,
    /// 169.254.0.0/16 and fe80::/10, where clouds keep their metadata services.
    LinkLocal,
    /// fc00::/7 (RFC 4193).
    UniqueLocal,
    /// fec0::/10, deprecated but still routed by old networks (RFC 3879).
    SiteLocal,
    /// 64:ff9b:1::/48, a translator of this network's own, which may lead anywhere in it (RFC 8215).
    LocalNat64,
    /// 198.18.0.0/15 and 2001:2::/48, used in laboratories (RFC 2544, RFC 5180).
    Benchmark,
    /// The example networks (RFC 5737, RFC 3849, RFC 9637).
    Documentation,
    /// 224.0.0.0/4 and ff00::/8.
    Multicast,
    /// 255.255.255.255.
    Broadcast,
    /// Set aside by a registry for something that no stream can be sent to.
    Reserved,
}

impl AddressClass {
    /// Every class, for tables and tests.
    pub const ALL: [Self; 14] = [
        Self::Public,
        Self::Unspecified,
        Self::Loopback,
        Self::Private,
        Self::CarrierNat,
        Self::LinkLocal,
        Self::UniqueLocal,
        Self::SiteLocal,
        Self::LocalNat64,
        Self::Benchmark,
        Self::Documentation,
        Self::Multicast,
        Self::Broadcast,
        Self::Reserved,
    ];

    /// Whether machines of one's own may live here, so that an operator can have a reason to permit it.
    pub const fn is_private(self) -> bool {
        matches!(
            self,
            Self::Loopback
                | Self::Private
                | Self::CarrierNat
                | Self::LinkLocal
                | Self::UniqueLocal
                | Self::SiteLocal
                | Self::LocalNat64
                | Self::Benchmark
        )
    }

    /// The word that messages use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Unspecified => "unspecified",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::CarrierNat => "carrier NAT",
            Self::LinkLocal => "link-local",
            Self::UniqueLocal => "unique local",
            Self::SiteLocal => "site-local",
            Self::LocalNat64 => "local NAT64",
            Self::Benchmark => "benchmark",
            Self::Documentation => "documentation",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Reserved => "reserved",
        }
    }
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The class of `address`.
pub const fn classify(address: IpAddr) -> AddressClass {
    match address {
        IpAddr::V4(v4) => classify_v4(v4),
        IpAddr::V6(v6) => classify_v6(v6),
    }
}

const fn classify_v4(address: Ipv4Addr) -> AddressClass {
    match address.octets() {
        [0, ..] => AddressClass::Unspecified,
        [10, ..] => AddressClass::Private,
        [100, 64..=127, ..] => AddressClass::CarrierNat,
        [127, ..] => AddressClass::Loopback,
        // Azure's host answers a guest here: public by its number, link-local by its behaviour.
        [169, 254, ..] | [168, 63, 129, 16] => AddressClass::LinkLocal,
        [172, 16..=31, ..] | [192, 168, ..] => AddressClass::Private,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => AddressClass::Documentation,
        // Protocol assignments, and the abandoned 6to4 relay (RFC 7526).
        [192, 0, 0, _] | [192, 88, 99, _] => AddressClass::Reserved,
        [198, 18..=19, ..] => AddressClass::Benchmark,
        [224..=239, ..] => AddressClass::Multicast,
        [255, 255, 255, 255] => AddressClass::Broadcast,
        [240..=255, ..] => AddressClass::Reserved,
        _ => AddressClass::Public,
    }
}

const fn classify_v6(address: Ipv6Addr) -> AddressClass {
    let segments = address.segments();
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0] => AddressClass::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => AddressClass::Loopback,
        // IPv4-mapped: the kernel speaks IPv4 to the carried address.
        [0, 0, 0, 0, 0, 0xffff, high, low] => carried(high, low),
        // IPv4-compatible: no network routes it, so a public one leads nowhere.
        [0, 0, 0, 0, 0, 0, high, low] => match carried(high, low) {
            AddressClass::Public => AddressClass::Reserved,
            class => class,
        },
        // How an IPv6-only network reaches an IPv4 target (RFC 6052).
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => carried(high, low),
        [0x64, 0xff9b, 1, ..] => AddressClass::LocalNat64,
        // Teredo: both the server and the client, which is stored inverted (RFC 4380).
        [0x2001, 0, server_high, server_low, _, _, high, low] => {
            match carried(server_high, server_low) {
                AddressClass::Public => carried(!high, !low),
                class => class,
            }
        }
        [0x2001, 2, 0, ..] => AddressClass::Benchmark,
        [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => AddressClass::Documentation,
        // The rest of the protocol assignments 2001::/23.
        [0x2001, 0..=0x01ff, ..] => AddressClass::Reserved,
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => carried(high, low),
        [0x2000..=0x3fff, ..] => AddressClass::Public,
        [0xfc00..=0xfdff, ..] => AddressClass::UniqueLocal,
        [0xfe80..=0xfebf, ..] => AddressClass::LinkLocal,
        [0xfec0..=0xfeff, ..] => AddressClass::SiteLocal,
        [0xff00..=0xffff, ..] => AddressClass::Multicast,
        _ => AddressClass::Reserved,
    }
}

/// The class of the IPv4 address that two segments of an IPv6 address carry.
const fn carried(high: u16, low: u16) -> AddressClass {
    let [a, b] = high.to_be_bytes();
    let [c, d] = low.to_be_bytes();
    classify_v4(Ipv4Addr::new(a, b, c, d))
}

#[cfg(test)]
mod tests {
    use super::*;
    use AddressClass::*;

    #[test]
    fn every_special_range_has_its_class_up_to_its_borders() {
        let table: &[(&str, AddressClass)] = &[
            ("0.0.0.0", Unspecified),
            ("0.255.255.255", Unspecified),
            ("1.0.0.0", Public),
            ("8.8.8.8", Public),
            ("9.255.255.255", Public),
            ("10.0.0.0", Private),
            ("10.255.255.255", Private),
            ("11.0.0.0", Public),
            ("100.63.255.255", Public),
            ("100.64.0.0", CarrierNat),
            ("100.100.100.200", CarrierNat),
            ("100.127.255.255", CarrierNat),
            ("100.128.0.0", Public),
            ("127.0.0.1", Loopback),
            ("127.255.255.254", Loopback),
            ("128.0.0.1", Public),
            ("168.63.129.15", Public),
            ("168.63.129.16", LinkLocal),
            ("169.253.255.255", Public),
            ("169.254.169.254", LinkLocal),
            ("169.255.0.0", Public),
            ("172.15.255.255", Public),
            ("172.16.0.0", Private),
            ("172.31.255.255", Private),
            ("172.32.0.0", Public),
            ("192.0.0.170", Reserved),
            ("192.0.0.192", Reserved),
            ("192.0.1.1", Public),
            ("192.0.2.1", Documentation),
            ("192.88.99.1", Reserved),
            ("192.167.255.255", Public),
            ("192.168.0.1", Private),
            ("192.169.0.0", Public),
            ("198.17.255.255", Public),
            ("198.18.0.1", Benchmark),
            ("198.19.255.255", Benchmark),
            ("198.20.0.0", Public),
            ("198.51.100.7", Documentation),
            ("203.0.113.7", Documentation),
            ("223.255.255.255", Public),
            ("224.0.0.1", Multicast),
            ("239.255.255.250", Multicast),
            ("240.0.0.1", Reserved),
            ("255.255.255.254", Reserved),
            ("255.255.255.255", Broadcast),
            ("::", Unspecified),
            ("::1", Loopback),
            ("::2", Unspecified),
            ("::127.0.0.1", Loopback),
            ("::10.1.2.3", Private),
            ("::8.8.8.8", Reserved),
            ("::ffff:127.0.0.1", Loopback),
            ("::ffff:169.254.169.254", LinkLocal),
            ("::ffff:10.0.0.1", Private),
            ("::ffff:0.0.0.0", Unspecified),
            ("::ffff:8.8.8.8", Public),
            ("::ffff:0:127.0.0.1", Reserved),
            ("64:ff9b::8.8.8.8", Public),
            ("64:ff9b::127.0.0.1", Loopback),
            ("64:ff9b::192.168.1.1", Private),
            ("64:ff9b::169.254.169.254", LinkLocal),
            ("64:ff9b:0:1::8.8.8.8", Reserved),
            ("64:ff9b:1::10.0.0.1", LocalNat64),
            ("64:ff9b:1:ffff::1", LocalNat64),
            ("64:ff9b:2::1", Reserved),
            ("100::1", Reserved),
            ("2000::1", Public),
            // Teredo: server 65.54.227.120, client 192.0.2.45 inverted.
            ("2001:0:4136:e378:8000:63bf:3fff:fdd2", Documentation),
            // Server public, client 127.0.0.1 inverted.
            ("2001:0:4136:e378:8000:63bf:80ff:fffe", Loopback),
            // Server public, client 8.8.8.8 inverted.
            ("2001:0:4136:e378:8000:63bf:f7f7:f7f7", Public),
            // Server 10.0.0.1, client 8.8.8.8 inverted.
            ("2001:0:a00:1:8000:63bf:f7f7:f7f7", Private),
            ("2001:1::1", Reserved),
            ("2001:2::1", Benchmark),
            ("2001:2:1::1", Reserved),
            ("2001:20::1", Reserved),
            ("2001:1ff::1", Reserved),
            ("2001:200::1", Public),
            ("2001:db8::1", Documentation),
            ("2001:4860:4860::8888", Public),
            ("2002:7f00:1::", Loopback),
            ("2002:a00:1::1", Private),
            ("2002:c0a8:101::1", Private),
            ("2002:808:808::1", Public),
            ("2606:4700:4700::1111", Public),
            ("3fff::1", Documentation),
            ("3fff:fff::1", Documentation),
            ("3fff:1000::1", Public),
            ("4000::1", Reserved),
            ("5f00::1", Reserved),
            ("fc00::1", UniqueLocal),
            ("fd00:ec2::254", UniqueLocal),
            ("fe00::1", Reserved),
            ("fe80::1", LinkLocal),
            ("febf::1", LinkLocal),
            ("fec0::1", SiteLocal),
            ("feff::1", SiteLocal),
            ("ff02::1", Multicast),
        ];
        for (text, class) in table {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(classify(address), *class, "{text}");
        }
    }

    #[test]
    fn a_carried_address_is_never_more_public_than_itself() {
        for text in [
            "0.0.0.0",
            "10.0.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "224.0.0.1",
        ] {
            let v4: Ipv4Addr = text.parse().unwrap();
            let [a, b, c, d] = v4.octets().map(u16::from);
            let (high, low) = (a << 8 | b, c << 8 | d);
            for v6 in [
                v4.to_ipv6_mapped(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
                Ipv6Addr::new(0x2001, 0, 0x0808, 0x0808, 0, 0, !high, !low),
            ] {
                assert_eq!(classify(v6.into()), classify(v4.into()), "{v6}");
            }
        }
    }
}
