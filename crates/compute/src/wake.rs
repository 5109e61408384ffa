//! Waking machines that Oriel does not run, over the network (Wake-on-LAN).

use crate::external::{ExternalError, Outside};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// What a sleeping network card looks for anywhere in a packet: six bytes of ones, and its own address sixteen times (AMD's Magic
/// Packet Technology, 20213).
const PACKET_BYTES: usize = 6 + 16 * 6;

fn packet(mac: [u8; 6]) -> Vec<u8> {
    let mut packet = Vec::with_capacity(PACKET_BYTES);
    packet.resize(6, 0xff);
    (0..16).for_each(|_| packet.extend_from_slice(&mac));
    packet
}

impl Outside {
    /// Sends the packet that wakes the machine with this network card. Held to the same addresses as dialling: `to` is mostly the
    /// broadcast address of the machine's network.
    ///
    /// # Errors
    /// The address may not be dialled, or cannot be sent to.
    pub async fn wake(&self, mac: [u8; 6], to: SocketAddr) -> Result<(), ExternalError> {
        self.check(&to.ip().to_string(), to)?;
        send(&packet(mac), to).await.map_err(|source| ExternalError::NotWoken { address: to, source })
    }
}

async fn send(packet: &[u8], to: SocketAddr) -> io::Result<()> {
    let own: SocketAddr = match to {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = tokio::net::UdpSocket::bind(own).await?;
    if to.is_ipv4() {
        socket.set_broadcast(true)?;
    }
    socket.send_to(packet, to).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_packet_wakes_where_it_may_go() {
        let listener = tokio::net::UdpSocket::bind("0.0.0.0:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        // The loopback has a broadcast address like every network.
        let to: SocketAddr = format!("127.255.255.255:{port}").parse().unwrap();
        let mac = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
        let refused = Outside::default().wake(mac, to).await.unwrap_err();
        assert!(matches!(refused, ExternalError::Refused { .. }), "{refused}");
        let everybody = "255.255.255.255:9".parse().unwrap();
        assert!(Outside::parse("10.0.0.0/8").unwrap().wake(mac, everybody).await.is_err());

        Outside::parse("127.0.0.0/8").unwrap().wake(mac, to).await.unwrap();
        let mut seen = [0; 256];
        let count = listener.recv(&mut seen).await.unwrap();
        assert_eq!(count, PACKET_BYTES);
        assert_eq!(seen[..6], [0xff; 6]);
        assert!(seen[6..count].chunks(6).all(|address| address == mac));
    }
}
