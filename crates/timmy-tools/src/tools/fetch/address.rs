//! Which addresses of the network may be asked: those of the open internet, and no others.
//!
//! What a name resolves to is judged as numbers, after every spelling is undone. Everything that the IANA registries
//! of special-purpose addresses (RFC 6890 and its successors) do not call globally reachable is refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Ports a page is asked on.
const PORTS: [u16; 4] = [80, 443, 8_080, 8_443];

/// Blocks of the fourth version that are not of the open internet: network, length of its prefix, and what it is.
const BLOCKS_V4: [([u8; 4], u32, &str); 19] = [
    ([0, 0, 0, 0], 8, "this network"),
    ([10, 0, 0, 0], 8, "a private network"),
    ([100, 64, 0, 0], 10, "a provider's inner network"),
    ([127, 0, 0, 0], 8, "this machine"),
    ([168, 63, 129, 16], 32, "a cloud provider's metadata"),
    ([169, 254, 0, 0], 16, "the local link, where clouds keep their metadata"),
    ([172, 16, 0, 0], 12, "a private network"),
    ([192, 0, 0, 0], 24, "reserved for protocols"),
    ([192, 0, 2, 0], 24, "reserved for documentation"),
    ([192, 31, 196, 0], 24, "reserved for name servers"),
    ([192, 52, 193, 0], 24, "reserved for relays"),
    ([192, 88, 99, 0], 24, "reserved for relays"),
    ([192, 168, 0, 0], 16, "a private network"),
    ([192, 175, 48, 0], 24, "reserved for name servers"),
    ([198, 18, 0, 0], 15, "reserved for measurements"),
    ([198, 51, 100, 0], 24, "reserved for documentation"),
    ([203, 0, 113, 0], 24, "reserved for documentation"),
    ([224, 0, 0, 0], 4, "for many receivers at once"),
    ([240, 0, 0, 0], 4, "reserved"),
];

/// Blocks of the sixth version within `2000::/3` that are not of the open internet; all outside it is refused anyway.
const BLOCKS_V6: [(Ipv6Addr, u32, &str); 4] = [
    // Teredo, ORCHID, benchmarking and other protocols.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "reserved for protocols"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "reserved for documentation"),
    // 6to4 carries an address of the fourth version in it.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "a tunnel to another address"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "reserved for documentation"),
];

/// Whether `address` may be asked.
///
/// # Errors
/// What the address is, in words, when it is not one of the open internet or its port is not one of the web.
pub fn judge(address: SocketAddr) -> Result<(), &'static str> {
    judge_ip(address.ip())?;
    if PORTS.contains(&address.port()) { Ok(()) } else { Err("on a port that is not one of the web") }
}

fn judge_ip(ip: IpAddr) -> Result<(), &'static str> {
    match ip {
        IpAddr::V4(ip) => judge_v4(ip),
        IpAddr::V6(ip) => judge_v6(ip),
    }
}

fn judge_v4(ip: Ipv4Addr) -> Result<(), &'static str> {
    let number = u32::from(ip);
    let within = |(network, length, _): &&([u8; 4], u32, &str)| {
        (number ^ u32::from(Ipv4Addr::from(*network))).leading_zeros() >= *length
    };
    BLOCKS_V4.iter().find(within).map_or(Ok(()), |(_, _, what)| Err(what))
}

fn judge_v6(ip: Ipv6Addr) -> Result<(), &'static str> {
    if let Some(inner) = carried(ip) {
        return judge_v4(inner);
    }
    if ip.is_loopback() {
        return Err("this machine");
    }
    let number = u128::from(ip);
    if number >> 125 != 1 {
        return Err("not an address of the open internet");
    }
    let within =
        |(network, length, _): &&(Ipv6Addr, u32, &str)| (number ^ u128::from(*network)).leading_zeros() >= *length;
    BLOCKS_V6.iter().find(within).map_or(Ok(()), |(_, _, what)| Err(what))
}

/// The address of the fourth version that `ip` is another spelling of: mapped (RFC 4291 §2.5.5.2) or translated by
/// the network (RFC 6052 §2.1).
fn carried(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    if let Some(mapped) = ip.to_ipv4_mapped() {
        return Some(mapped);
    }
    let [a, b, rest @ ..] = ip.segments();
    let [c, d, e, f, high, low] = rest;
    ([a, b, c, d, e, f] == [0x64, 0xff9b, 0, 0, 0, 0]).then(|| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(ip: &str) -> bool {
        judge_ip(ip.parse().unwrap()).is_ok()
    }

    // shows: hands: Only addresses of the open internet are asked: not this machine, its network, cloud metadata or a spelling of them
    #[test]
    fn every_kind_of_inner_address_is_refused_and_open_ones_are_not() {
        let inner = "0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 \
             127.255.255.254 168.63.129.16 169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.192 \
             192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1 \
             239.255.255.250 240.0.0.1 255.255.255.255 :: ::1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 \
             ::ffff:7f00:1 ::127.0.0.1 64:ff9b::127.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b::10.0.0.1 64:ff9b:1::1 \
             fe80::1 fec0::1 fc00::1 fd00:ec2::254 fd20:ce::254 ff02::1 2001::1 2001:db8::1 2002:7f00:1:: \
             2002:a9fe:a9fe:: 3fff::1 100::1 5f00::1 2001:2::1 2001:20::1";
        for ip in inner.split_whitespace() {
            assert!(!open(ip), "{ip}");
        }
        let outer = "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1 \
             172.15.255.255 172.32.0.0 192.167.255.255 198.17.255.255 223.255.255.255 ::ffff:1.1.1.1 \
             64:ff9b::8.8.8.8 2606:4700::1111 2a00:1450::1 2001:4860:4860::8888 2400::1";
        for ip in outer.split_whitespace() {
            assert!(open(ip), "{ip}");
        }
    }

    #[test]
    fn only_ports_of_the_web_are_asked() {
        for port in [80, 443, 8_080, 8_443] {
            assert_eq!(judge(SocketAddr::from(([1, 1, 1, 1], port))), Ok(()));
        }
        for port in [0, 22, 25, 53, 2_375, 5_432, 6_379, 8_000, 9_200, 11_211, 11_434] {
            assert!(judge(SocketAddr::from(([1, 1, 1, 1], port))).is_err(), "{port}");
        }
    }
}
