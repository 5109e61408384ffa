//! Messages on their way to a receiver: counted octets over TCP and TLS, a datagram each over UDP and to this machine's own.

use crate::Outside;
use oriel_model::{Syslog, SyslogTarget};
use oriel_pin::tls;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{UdpSocket, UnixDatagram};
use tokio::time::timeout;

/// How long a receiver may take for all messages, its connection included.
const SEND_TIME_MAX: Duration = Duration::from_secs(15);
const DIAL_SECONDS: u16 = 10;
/// How long it may take to close behind the last message. One that does not has them all the same.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(3);
/// Addresses of a name that are looked at.
const ADDRESSES_MAX: usize = 8;
/// Where the receiver of this machine listens.
const LOCAL: &str = "/dev/log";

/// The error is the end of a sentence: why they were not taken.
pub(super) async fn send(outside: &Outside, syslog: &Syslog, messages: &[String]) -> Result<(), String> {
    let sent = async {
        match &syslog.target {
            SyslogTarget::Tls { host, port } => {
                let tcp = outside.dial(host, *port, DIAL_SECONDS).await.map_err(|error| error.to_string())?;
                let tls =
                    tls::begin_signed(tcp, host, syslog.ca.as_deref()).await.map_err(|error| error.to_string())?;
                counted(tls, messages).await
            }
            SyslogTarget::Tcp { host, port } => {
                let tcp = outside.dial(host, *port, DIAL_SECONDS).await.map_err(|error| error.to_string())?;
                counted(tcp, messages).await
            }
            SyslogTarget::Udp { host, port } => datagrams(outside, host, *port, messages).await,
            SyslogTarget::Local => local(Path::new(LOCAL), messages).await,
        }
    };
    match timeout(SEND_TIME_MAX, sent).await {
        Ok(outcome) => outcome,
        Err(_) => Err(format!("it did not take them within {} seconds", SEND_TIME_MAX.as_secs())),
    }
}

/// RFC 6587 §3.4.1, RFC 5425 §4.3. Syslog has no answers: that everything arrived is known when the receiver closes, too.
async fn counted(mut wire: impl AsyncRead + AsyncWrite + Unpin, messages: &[String]) -> Result<(), String> {
    let lost = |error: io::Error| format!("the connection was lost: {error}");
    let mut frames = Vec::new();
    for message in messages {
        frames.extend_from_slice(message.len().to_string().as_bytes());
        frames.push(b' ');
        frames.extend_from_slice(message.as_bytes());
    }
    wire.write_all(&frames).await.map_err(lost)?;
    wire.flush().await.map_err(lost)?;
    wire.shutdown().await.map_err(lost)?;
    let closed = async {
        let mut answer = [0_u8; 256];
        loop {
            match wire.read(&mut answer).await {
                // Many close TLS without saying so.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(lost(error)),
            }
        }
    };
    timeout(CLOSE_TIME_MAX, closed).await.unwrap_or(Ok(()))
}

/// RFC 5426.
async fn datagrams(outside: &Outside, host: &str, port: u16, messages: &[String]) -> Result<(), String> {
    let mut why = "the name has no address".to_owned();
    for address in addresses(host, port).await? {
        if let Err(refused) = outside.check(host, address) {
            why = refused.to_string();
            continue;
        }
        let sent = async {
            let any = if address.is_ipv4() {
                IpAddr::from(Ipv4Addr::UNSPECIFIED)
            } else {
                IpAddr::from(Ipv6Addr::UNSPECIFIED)
            };
            let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
            socket.connect(address).await?;
            for message in messages {
                socket.send(message.as_bytes()).await?;
            }
            // Where nobody listens, the machine may have said so by now.
            socket.take_error()?.map_or(Ok(()), Err)
        };
        return sent.await.map_err(|error: io::Error| format!("nobody takes them at {address}: {error}"));
    }
    Err(why)
}

async fn addresses(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let found =
        tokio::net::lookup_host((host, port)).await.map_err(|error| format!("{host} has no address: {error}"))?;
    Ok(found.take(ADDRESSES_MAX).collect())
}

async fn local(path: &Path, messages: &[String]) -> Result<(), String> {
    let sent = async {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        for message in messages {
            socket.send(message.as_bytes()).await?;
        }
        Ok::<(), io::Error>(())
    };
    sent.await.map_err(|error: io::Error| {
        format!("nobody takes them at {} (is there a journald, rsyslog or syslog-ng?): {error}", path.display())
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use tokio::net::{TcpListener, TcpStream};

    fn messages() -> Vec<String> {
        vec!["<85>1 - - - - - - one".to_owned(), "<85>1 - - - - - - \u{feff}dvé".to_owned()]
    }

    #[tokio::test]
    async fn octets_are_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wire = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let read = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut text = String::new();
            socket.read_to_string(&mut text).await.unwrap();
            text
        };
        let all = messages();
        let (sent, text) = tokio::join!(counted(wire, &all), read);
        assert_eq!(sent, Ok(()));
        assert_eq!(text, "21 <85>1 - - - - - - one25 <85>1 - - - - - - \u{feff}dvé");
    }

    #[tokio::test]
    async fn what_was_not_read_was_not_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wire = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let hang_up = async {
            let (socket, _) = listener.accept().await.unwrap();
            // Closing with something unread resets the connection.
            socket.readable().await.unwrap();
            drop(socket);
        };
        let all = messages();
        let (sent, ()) = tokio::join!(counted(wire, &all), hang_up);
        assert!(sent.unwrap_err().starts_with("the connection was lost: "));
    }

    #[tokio::test]
    async fn a_datagram_each() {
        let outside = Outside::parse("127.0.0.0/8").unwrap();
        let receiver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = receiver.local_addr().unwrap().port();
        let all = messages();
        datagrams(&outside, "127.0.0.1", port, &all).await.unwrap();
        let mut piece = [0; 100];
        for message in &all {
            let length = receiver.recv(&mut piece).await.unwrap();
            assert_eq!(piece.get(..length).unwrap(), message.as_bytes());
        }
        let refused = datagrams(&Outside::default(), "127.0.0.1", port, &all).await.unwrap_err();
        assert!(refused.contains("loopback"), "{refused}");
        drop(receiver);
        let nobody = datagrams(&outside, "127.0.0.1", port, &all).await.unwrap_err();
        assert!(nobody.contains("nobody takes them"), "{nobody}");
    }

    #[tokio::test]
    async fn this_machine_s_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        assert!(local(&path, &messages()).await.unwrap_err().contains("journald"));
        let receiver = UnixDatagram::bind(&path).unwrap();
        local(&path, &messages()).await.unwrap();
        let mut piece = [0; 100];
        let length = receiver.recv(&mut piece).await.unwrap();
        assert_eq!(piece.get(..length).unwrap(), b"<85>1 - - - - - - one");
    }
}
