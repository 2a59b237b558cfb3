//! Notices that this computer's place in the network has changed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// The addresses by which this computer reaches the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Addresses {
    v4: Option<IpAddr>,
    v6: Option<IpAddr>,
}

/// Notices changes: another network, a cable in or out, a tunnel up or down.
#[derive(Debug)]
pub struct NetworkWatch {
    last: Addresses,
}

impl NetworkWatch {
    /// Begins to watch.
    #[must_use]
    pub fn start() -> NetworkWatch {
        NetworkWatch { last: look() }
    }

    /// Whether the addresses have changed since the last call. To be called about once a second.
    pub fn changed(&mut self) -> bool {
        self.now(look())
    }

    fn now(&mut self, now: Addresses) -> bool {
        std::mem::replace(&mut self.last, now) != now
    }
}

/// Asks the system from where it would send to documentation's addresses, which are nobody's.
/// Connecting a datagram socket chooses a route and sends nothing.
fn look() -> Addresses {
    let from = |to: IpAddr, any: IpAddr| {
        let socket = UdpSocket::bind(SocketAddr::new(any, 0)).ok()?;
        socket.connect(SocketAddr::new(to, 9)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    let v6 = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    Addresses {
        v4: from(Ipv4Addr::new(192, 0, 2, 1).into(), Ipv4Addr::UNSPECIFIED.into()),
        v6: from(v6.into(), Ipv6Addr::UNSPECIFIED.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_address_none_and_one_again_are_changes_and_the_same_is_not() {
        let at = |last: u8| Addresses { v4: Some(Ipv4Addr::new(10, 0, 0, last).into()), v6: None };
        let none = Addresses { v4: None, v6: None };
        let mut watch = NetworkWatch { last: at(1) };
        let changes = [at(1), at(2), at(2), none, none, at(2)].map(|now| watch.now(now));
        assert_eq!(changes, [false, true, false, true, false, true]);
    }

    #[test]
    fn looking_twice_in_a_row_reports_no_change() {
        assert!(!NetworkWatch::start().changed());
    }
}
