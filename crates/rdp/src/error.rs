//! Why a connection did not come about.

use crate::kerberos::KerberosError;
use oriel_pin::Fingerprint;

/// Texts are for the person in front of the viewer: lowercase, no trailing period.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The stream broke before the machine spoke RDP.
    #[error("the machine does not answer as an RDP server; it may still be starting, try again in a moment")]
    Unreachable(#[source] std::io::Error),
    /// Nothing, or not enough, came in time.
    #[error("the machine did not finish connecting within {seconds} s (it stopped at: {stage}); try again in a moment")]
    TimedOut { seconds: u64, stage: &'static str },
    /// The certificate is not the pinned one.
    #[error(
        "the machine's certificate changed: its SHA-256 is {seen}, expected {expected}; if the machine was reinstalled, an administrator can accept the new certificate"
    )]
    CertificateChanged { expected: Fingerprint, seen: Fingerprint },
    /// It was met for the first time, and could not be pinned.
    #[error("{0}")]
    IdentityNotKept(String),
    /// The server told us that user name or password are wrong.
    #[error("the machine refused the user name or password: {0}")]
    CredentialsRefused(String),
    /// Nobody was signed in with Kerberos.
    #[error("Kerberos: {0}")]
    Kerberos(KerberosError),
    /// No security level that both sides have.
    #[error("the machine and Oriel have no security level in common: {0}")]
    SecurityRefused(String),
    /// It runs whole desktops alone.
    #[error(
        "the machine runs no single programs (RemoteApp): it needs Windows Server with the Remote Desktop Session Host, or Windows Enterprise; leave remote_app out to get the whole desktop"
    )]
    NoRemoteApps,
    /// The server asked for another machine or session.
    #[error(
        "the machine redirected the connection to another one, which Oriel does not follow: connect to that machine instead, or have an administrator allow it (follow_redirection)"
    )]
    Redirected,
    /// It did, and may: the next connection goes there.
    #[error("the machine redirected the connection to another one")]
    SentOn,
    /// The RD Gateway on the way is not the pinned one.
    #[error(
        "the RD Gateway's certificate changed: its SHA-256 is {seen}, expected {expected}; if the gateway got a new one, an administrator can enter it (gateway_identity)"
    )]
    GatewayChanged { expected: Fingerprint, seen: Fingerprint },
    /// It does not let the account through.
    #[error("the RD Gateway refused the connection: {0}")]
    GatewayRefused(String),
    /// It does not lead to the machine.
    #[error("the RD Gateway does not lead to the machine: {0}")]
    Gateway(String),
    /// The server broke the protocol or crossed a limit.
    #[error("the machine broke the RDP protocol while connecting ({stage}): {what}")]
    Protocol { stage: &'static str, what: String },
}
