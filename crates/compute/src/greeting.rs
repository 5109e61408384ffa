//! What a door of a guest says first, and whether it is the machine that Oriel made. To be tried before people are sent there: a
//! gateway that holds to a machine's certificate refuses one that shows another for ever.

use oriel_model::{Desktop, GuestPort};
use oriel_pin::{
    Fingerprint, HostPin,
    tls::{self, TlsError},
};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// What a door of a guest answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// Nothing of its protocol, or not in time.
    Silent,
    /// Its protocol, but not with the certificate that Oriel gave the machine: with another one, or without any.
    Stranger,
    /// Its protocol; and where Oriel gave the machine a certificate, it has that and the key to it.
    Known,
}

/// X.224 connection request that offers TLS, alone and with CredSSP within it ([MS-RDPBCGR] §2.2.1.1).
const RDP_HELLO: [u8; 19] = [3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, SSL | HYBRID, 0, 0, 0];
/// Of the protocols that are chosen from ([MS-RDPBCGR] §2.2.1.1.1): both begin with TLS.
const SSL: u8 = 1;
const HYBRID: u8 = 2;
/// An answer that something was chosen ([MS-RDPBCGR] §2.2.1.2.1).
const CHOSEN: u8 = 2;
/// A TPKT's header, and the longest confirm behind one: a real one has 19 bytes in all.
const TPKT_BYTES: usize = 4;
const CONFIRM_BYTES_MAX: usize = 60;

/// The caller bounds the time.
pub(crate) async fn on<S>(mut stream: S, desktop: &Desktop, port: GuestPort) -> io::Result<Greeting>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let word: &[u8; 4] = match port {
        GuestPort::Rdp => return rdp(stream, desktop.facts.rdp_certificate_sha256.as_deref()).await,
        GuestPort::Ssh => b"SSH-",
        GuestPort::Console => b"RFB ",
    };
    let mut first = [0; 4];
    stream.read_exact(&mut first).await?;
    Ok(if first == *word { Greeting::Known } else { Greeting::Silent })
}

/// `given`: SHA-256 of the certificate that the machine was given, as a [`Fingerprint`]'s text.
async fn rdp<S>(mut stream: S, given: Option<&str>) -> io::Result<Greeting>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(&RDP_HELLO).await?;
    stream.flush().await?;
    let mut header = [0; TPKT_BYTES];
    stream.read_exact(&mut header).await?;
    let [3, 0, high, low] = header else { return Ok(Greeting::Silent) };
    let length = usize::from(u16::from_be_bytes([high, low])).saturating_sub(TPKT_BYTES);
    let mut confirm = [0; CONFIRM_BYTES_MAX];
    // Not a byte more than it has: TLS begins behind it.
    let Some(confirm) = confirm.get_mut(..length) else { return Ok(Greeting::Silent) };
    stream.read_exact(confirm).await?;
    // Its length, the code of a connection confirm, two references and a class; then what was chosen, of servers that choose.
    let [_, code, _, _, _, _, _, chosen @ ..] = &*confirm else { return Ok(Greeting::Silent) };
    if code & 0xf0 != 0xd0 {
        return Ok(Greeting::Silent);
    }
    let Some(given) = given else { return Ok(Greeting::Known) };
    let ([CHOSEN, _, 8, 0, SSL | HYBRID, 0, 0, 0], Ok(pin)) = (chosen, given.parse::<Fingerprint>()) else {
        return Ok(Greeting::Stranger);
    };
    match tls::begin(stream, HostPin::Sha256(pin.0)).await {
        Ok(_) => Ok(Greeting::Known),
        Err(TlsError::Changed { .. }) => Ok(Greeting::Stranger),
        // Cut off, as by a server that is being started anew: nothing is known of it.
        Err(TlsError::Failed(_)) => Ok(Greeting::Silent),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use rustls::ServerConfig;
    use rustls::pki_types::PrivateKeyDer;
    use std::sync::Arc;
    use tokio_rustls::TlsAcceptor;

    /// As xrdp and Windows answer: TLS is chosen.
    const CONFIRM: [u8; 19] = [3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 2, 0x1f, 8, 0, 1, 0, 0, 0];

    /// Asks a server with a certificate of its own that answers so. `Some("")`: what it was given is that one.
    async fn greeted(confirm: &[u8], given: Option<&str>) -> io::Result<Greeting> {
        let made = rcgen::generate_simple_self_signed(["desktop.example".to_owned()]).unwrap();
        let its = Fingerprint::of(made.cert.der()).to_string();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let (near, mut far) = tokio::io::duplex(1 << 16);
        let confirm = confirm.to_vec();
        tokio::spawn(async move {
            let mut hello = [0; RDP_HELLO.len()];
            far.read_exact(&mut hello).await.unwrap();
            assert_eq!(hello, RDP_HELLO);
            far.write_all(&confirm).await.unwrap();
            TlsAcceptor::from(Arc::new(config)).accept(far).await
        });
        rdp(near, given.map(|given| if given.is_empty() { its.as_str() } else { given })).await
    }

    #[tokio::test]
    async fn only_the_machine_with_its_own_certificate_is_known() {
        let other = "07".repeat(32);
        let classic = [3, 0, 0, 11, 6, 0xd0, 0, 0, 0, 0, 0];
        // Its certificate's file is missing: SSL_CERT_NOT_ON_SERVER.
        let (mut failure, mut hybrid) = (CONFIRM, CONFIRM);
        (failure[11], failure[15]) = (3, 3);
        hybrid[15] = HYBRID;
        for (what, confirm, given, greeting) in [
            ("its own", &CONFIRM[..], Some(""), Greeting::Known),
            ("its own, and CredSSP to follow", &hybrid[..], Some(""), Greeting::Known),
            ("another one", &CONFIRM[..], Some(other.as_str()), Greeting::Stranger),
            ("no TLS", &classic[..], Some(""), Greeting::Stranger),
            ("none", &failure[..], Some(""), Greeting::Stranger),
            ("what was kept is no fingerprint", &CONFIRM[..], Some("damaged"), Greeting::Stranger),
            ("nothing was given", &CONFIRM[..], None, Greeting::Known),
            ("nothing was given, and no TLS", &classic[..], None, Greeting::Known),
            ("not a confirm", &[3, 0, 0, 11, 6, 0x80, 0, 0, 0, 0, 0][..], None, Greeting::Silent),
            ("not a TPKT", &b"SSH-2.0-OpenSSH"[..], None, Greeting::Silent),
            ("too long", &[3, 0, 1, 0, 6, 0xd0][..], None, Greeting::Silent),
            ("too short", &[3, 0, 0, 4][..], None, Greeting::Silent),
        ] {
            assert_eq!(greeted(confirm, given).await.unwrap(), greeting, "{what}");
        }
    }

    #[tokio::test]
    async fn one_that_hangs_up_is_not_taken_for_another() {
        let (near, mut far) = tokio::io::duplex(1 << 10);
        far.write_all(&CONFIRM).await.unwrap();
        far.shutdown().await.unwrap();
        assert_eq!(rdp(near, Some(&"07".repeat(32))).await.unwrap(), Greeting::Silent);
    }
}
