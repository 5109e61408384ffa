//! Who a machine says it is, asked before anything is told to it: how an identity is met for the first time.

use crate::CONNECT_TIME_MAX;
use crate::command::Bye;
use crate::connect::{rdp_bye, ssh_bye, too_late};
use crate::target::{DialError, Stream};
use oriel_model::MachineProtocol;
use oriel_rdp::{CertificatePin, ConnectError, RdpOptions};
use secrecy::SecretString;
use tokio::time::timeout;

/// What the machine on this stream shows: SHA-256 of its certificate (lowercase hex) for RDP, its host key as an OpenSSH
/// public key for SSH, nothing for protocols in which machines show nothing. No account and no password is sent. The stream
/// is used up.
pub async fn identify(protocol: MachineProtocol, stream: Box<dyn Stream>) -> Result<Option<String>, DialError> {
    let asking = async {
        match protocol {
            MachineProtocol::Rdp => certificate(stream).await.map(Some),
            MachineProtocol::Ssh => oriel_terminal::host_key(stream).await.map(Some).map_err(|error| ssh_bye(&error)),
            MachineProtocol::Vnc | MachineProtocol::Telnet => Ok(None),
        }
    };
    let asked = timeout(CONNECT_TIME_MAX, asking).await.unwrap_or_else(|_| Err(too_late()));
    asked.map_err(|Bye { code, text }| DialError { code, text })
}

/// No certificate has the SHA-256 of zeros: the handshake ends where it would be accepted, before CredSSP.
async fn certificate(stream: Box<dyn Stream>) -> Result<String, Bye> {
    let options = RdpOptions {
        user: String::new(),
        password: SecretString::default(),
        domain: None,
        width: 1024,
        height: 768,
        scale: 100,
        keyboard: "us".into(),
        certificate: CertificatePin::Sha256([0; 32]),
        client_name: "oriel".into(),
    };
    match oriel_rdp::connect(stream, options).await {
        Err(ConnectError::CertificateChanged { seen, .. }) => Ok(seen.to_string()),
        Err(error) => Err(rdp_bye(error)),
        Ok(_) => Err(Bye::new(oriel_screen::ByeCode::Protocol, "the machine showed no certificate")),
    }
}
