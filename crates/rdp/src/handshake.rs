//! Drives IronRDP's sans-I/O connection sequences over a stream. Every read takes exactly one message and not a byte
//! more, so nothing is left over when TLS begins (nor can anything be smuggled in before it) or when the session does.

use crate::confirm;
use crate::error::ConnectError;
use crate::kerberos::{self, KerberosError, KerberosOptions};
use crate::{HANDSHAKE_PDU_BYTES_MAX, HANDSHAKE_SKIPPED_MAX};
use ironrdp_connector::credssp::CredsspSequence;
use ironrdp_connector::sspi::generator::GeneratorState;
use ironrdp_connector::{
    ClientConnector, ClientConnectorState, Config, ConnectorError, ConnectorErrorKind, Sequence as _, ServerName,
    State as _,
};
use ironrdp_core::{Encode, WriteBuf, encode_vec};
use ironrdp_pdu::PduHint;
use ironrdp_pdu::nego::SecurityProtocol;
use secrecy::SecretString;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Bytes of a header that we read before giving up on learning a message's length.
const HEADER_BYTES_MAX: usize = 16;

/// What went wrong in one exchange, before `connect` says what it means.
#[derive(Debug)]
pub(crate) enum Broken {
    Io(io::Error),
    Sequence(ConnectorError),
    Limit(String),
    Kerberos(KerberosError),
    /// The account may not sign in there.
    Denied,
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ConnectorError> for Broken {
    fn from(error: ConnectorError) -> Self {
        Self::Sequence(error)
    }
}

impl Broken {
    /// The error for the person, given where the handshake was.
    pub(crate) fn into_error(self, stage: &'static str) -> ConnectError {
        match self {
            Self::Io(error) if stage == "negotiation" => ConnectError::Unreachable(error),
            // Servers that dislike what NLA brought often just hang up.
            Self::Io(error) if stage == "CredSSP" && error.kind() == io::ErrorKind::UnexpectedEof => {
                ConnectError::CredentialsRefused(
                    "it closed the connection during network level authentication".to_owned(),
                )
            }
            Self::Io(error) => ConnectError::Protocol { stage, what: format!("the connection broke ({error})") },
            Self::Limit(what) => ConnectError::Protocol { stage, what },
            Self::Kerberos(error) => ConnectError::Kerberos(error),
            Self::Denied => denied(),
            Self::Sequence(error) => match error.kind() {
                ConnectorErrorKind::Negotiation(failure) => ConnectError::SecurityRefused(failure.to_string()),
                ConnectorErrorKind::Reason(reason) if stage == "negotiation" => ConnectError::SecurityRefused(format!(
                    "{reason}; on a Linux machine this happens when xrdp cannot read its TLS key (is user xrdp in group ssl-cert?)"
                )),
                // IronRDP (0.12), where the server's capabilities lack remote programs or the list of their windows.
                ConnectorErrorKind::Reason(reason) if reason.contains("RemoteApp capabilities") => {
                    ConnectError::NoRemoteApps
                }
                ConnectorErrorKind::AccessDenied => denied(),
                ConnectorErrorKind::Credssp(error) => ConnectError::CredentialsRefused(error.to_string()),
                _ => ConnectError::Protocol { stage, what: chain(&error) },
            },
        }
    }
}

fn denied() -> ConnectError {
    ConnectError::CredentialsRefused("the user may not log in to this machine".to_owned())
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Reads the next message that `hint` wants, skipping others.
pub(crate) async fn read_pdu<S>(stream: &mut S, hint: &dyn PduHint) -> Result<Vec<u8>, Broken>
where
    S: AsyncRead + Unpin,
{
    let mut pdu = Vec::new();
    for _ in 0..HANDSHAKE_SKIPPED_MAX {
        pdu.clear();
        let wanted = loop {
            let size = hint
                .find_size(&pdu)
                .map_err(|error| Broken::Limit(format!("a message has no valid header ({error})")))?;
            match size {
                Some((matched, length)) if length > pdu.len() && length <= HANDSHAKE_PDU_BYTES_MAX => {
                    let have = pdu.len();
                    pdu.resize(length, 0);
                    stream.read_exact(pdu.get_mut(have..).unwrap_or_default()).await?;
                    break matched;
                }
                Some((_, length)) => {
                    return Err(Broken::Limit(format!("a message announces {length} bytes, which no real one has")));
                }
                None if pdu.len() >= HEADER_BYTES_MAX => {
                    return Err(Broken::Limit("a message has an endless header".to_owned()));
                }
                None => pdu.push(stream.read_u8().await?),
            }
        };
        if wanted {
            return Ok(pdu);
        }
    }
    Err(Broken::Limit("too many messages out of turn".to_owned()))
}

async fn send<S>(stream: &mut S, buf: &WriteBuf) -> Result<(), Broken>
where
    S: AsyncWrite + Unpin,
{
    if !buf.filled().is_empty() {
        stream.write_all(buf.filled()).await?;
        stream.flush().await?;
    }
    Ok(())
}

/// One step of the connection sequence: reads what it waits for, writes what it answers.
pub(crate) async fn step<S>(stream: &mut S, connector: &mut ClientConnector) -> Result<(), Broken>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut buf = WriteBuf::new();
    if connector.should_perform_multitransport() {
        connector.skip_multitransport(&mut buf)?;
    } else if let Some(hint) = connector.next_pdu_hint() {
        let pdu = read_pdu(stream, hint).await?;
        tracing::trace!(state = connector.state.name(), bytes = pdu.len(), "Handshake message");
        connector.step(&pdu, None, &mut buf)?;
    } else {
        connector.step_no_input(&mut buf)?;
    }
    if let Some(sets) = confirm::capabilities(buf.filled_mut()) {
        confirm::announce_reconnect(sets);
    }
    send(stream, &buf).await
}

/// Sends one message that is no part of the sequence.
pub(crate) async fn say<S>(stream: &mut S, message: &impl Encode) -> Result<(), Broken>
where
    S: AsyncWrite + Unpin,
{
    let bytes = encode_vec(message).map_err(|error| Broken::Limit(chain(&error)))?;
    stream.write_all(&bytes).await?;
    Ok(stream.flush().await?)
}

/// The negotiation, after the authentication that it would have been about (MS-RDPBCGR 5.4.2.2).
pub(crate) async fn direct<S>(stream: &mut S, connector: &mut ClientConnector) -> Result<(), Broken>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut buf = WriteBuf::new();
    connector.initiate_with_security_protocol(SecurityProtocol::HYBRID, &mut buf)?;
    send(stream, &buf).await?;
    step(stream, connector).await?;
    let ClientConnectorState::EnhancedSecurityUpgrade { selected_protocol: SecurityProtocol::HYBRID } = connector.state
    else {
        return Err(Broken::Limit("it chose another kind of authentication than the one that was done".to_owned()));
    };
    connector.mark_security_upgrade_as_done();
    if connector.should_perform_credssp() {
        connector.mark_credssp_as_done();
    }
    Ok(())
}

/// Network level authentication (MS-CSSP): with Kerberos where that is wanted, else with NTLM. `key` is the machine's public key from its
/// certificate.
pub(crate) async fn credssp<S>(
    stream: &mut S,
    config: &Config,
    kerberos: Option<(&KerberosOptions, &SecretString)>,
    selected_protocol: SecurityProtocol,
    key: Vec<u8>,
) -> Result<(), Broken>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if let Some((options, password)) = kerberos {
        return kerberos::authenticate(stream, options, password, selected_protocol, key).await;
    }
    let (mut sequence, mut request) = CredsspSequence::init(
        config.credentials.clone(),
        config.domain.as_deref(),
        selected_protocol,
        ServerName::new("oriel"),
        key,
        None,
    )?;
    loop {
        let state = {
            let mut generator = sequence.process_ts_request(request);
            match generator.start() {
                GeneratorState::Completed(state) => {
                    state.map_err(|error| ConnectorError::new("CredSSP", ConnectorErrorKind::Credssp(error)))?
                }
                GeneratorState::Suspended(_) => {
                    return Err(Broken::Limit("the machine asks for Kerberos, and NTLM is spoken".to_owned()));
                }
            }
        };
        let mut buf = WriteBuf::new();
        sequence.handle_process_result(state, &mut buf)?;
        send(stream, &buf).await?;
        let Some(hint) = sequence.next_pdu_hint() else { break };
        let pdu = read_pdu(stream, hint).await?;
        let Some(next) = sequence.decode_server_message(&pdu)? else { break };
        request = next;
    }
    Ok(())
}
