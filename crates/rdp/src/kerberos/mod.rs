//! Network level authentication with Kerberos (MS-CSSP over SPNEGO, RFC 4120, RFC 4121): the KDC is somebody else's to ask.
//!
//! ```text
//!  machine ◀── TGT-REQ ──── authenticate ── AS-REQ, TGS-REQ ──▶ Kdc (the server's process) ──▶ the realm's KDC
//!          ─── TGT-REP ──▶               ◀─ AS-REP, TGS-REP ──
//!          ◀── AP-REQ, then the password, sealed for who holds the machine's key
//! ```
//! sspi (0.23) asks for a ticket that the machine opens with its own ticket-granting ticket (user to user), as Windows' client does, so the
//! machine is heard before the KDC. It speaks AES (etypes 17 and 18) alone. Its questions come in envelopes of MS-KKDCP, because they
//! then say whose KDC is meant where a realm refers to another; where there is a KDC it must not look by itself
//! ([`KDC_VARIABLE`]). First tickets of MIT's KDC are made such that it takes them ([`AsExchange`]).

mod as_exchange;
mod error;

pub use as_exchange::AsExchange;
pub use error::KerberosError;

use crate::handshake::{Broken, read_pdu};
use async_trait::async_trait;
use ironrdp_connector::sspi::credssp::{
    ClientMode, ClientState, CredSspClient, CredSspMode, EARLY_USER_AUTH_RESULT_PDU_SIZE, EarlyUserAuthResult,
    TsRequest,
};
use ironrdp_connector::sspi::generator::GeneratorState;
use ironrdp_connector::sspi::{
    AuthIdentity, Error as SspiError, ErrorKind, KerberosConfig, NegotiateConfig, NetworkRequest, Username,
};
use ironrdp_core::{DecodeResult, other_err};
use ironrdp_pdu::PduHint;
use ironrdp_pdu::nego::SecurityProtocol;
use oriel_kerberos::{Envelope, error_code};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Read by sspi where a realm refers to another, and it would look for the KDC of that one in files and in DNS. Processes that
/// sign in set it to [`KDC_PLACE`].
pub const KDC_VARIABLE: &str = "SSPI_KDC_URL";
/// Where sspi thinks that a KDC is. Nobody dials it.
pub const KDC_PLACE: &str = "https://kdc.invalid/KdcProxy";
/// `KDC_ERR_PREAUTH_REQUIRED`: every first answer, with what is needed for the second question.
const PREAUTH_REQUIRED: u32 = 25;
/// Questions of one sign-in: an account's ticket in two or three, and one for each realm on the way to the machine's.
const QUESTIONS_MAX: usize = 16;

/// Asks the KDCs of realms.
#[async_trait]
pub trait Kdc: Debug + Send + Sync {
    /// Takes a question and brings the answer, each an [`Envelope`] as it is written. The asked bounds the time.
    ///
    /// # Errors
    /// Why there is no answer, for the middle of a sentence.
    async fn ask(&self, question: Vec<u8>) -> Result<Vec<u8>, String>;
}

/// Who signs in, where, and to what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KerberosAccount {
    /// In capitals.
    pub realm: String,
    /// The account's name in it.
    pub user: String,
    /// The machine's name in its domain.
    pub host: String,
    /// Whether NTLM may be used where Kerberos cannot ([`KerberosError::is_about_the_way`]).
    pub or_ntlm: bool,
}

impl KerberosAccount {
    /// What the machine is called as a service (MS-RDPBCGR 5.4.5.2).
    fn service(&self) -> String {
        format!("TERMSRV/{}", self.host)
    }
}

/// How Kerberos is used.
#[derive(Clone, Debug)]
pub struct KerberosOptions {
    pub account: KerberosAccount,
    pub kdc: Arc<dyn Kdc>,
}

/// Messages of CredSSP by the length that they begin with.
#[derive(Debug)]
struct TsRequestHint;

impl PduHint for TsRequestHint {
    fn find_size(&self, bytes: &[u8]) -> DecodeResult<Option<(bool, usize)>> {
        match TsRequest::read_length(bytes) {
            Ok(length) => Ok(Some((true, length))),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(_) => Err(other_err!("TsRequest", "its length cannot be read")),
        }
    }
}

/// What is known of a sign-in when it fails.
struct Attempt<'o> {
    options: &'o KerberosOptions,
    exchange: AsExchange<'o>,
    questions: usize,
    /// Whether the KDC was asked since the machine said something.
    asked: bool,
    /// The code of the KDC's last answer, where that was an error.
    refused: Option<u32>,
    /// Why it could not be asked.
    unanswered: Option<String>,
}

impl Attempt<'_> {
    /// One question of sspi's.
    async fn ask(&mut self, request: NetworkRequest) -> Result<Vec<u8>, SspiError> {
        let none = |why: String| SspiError::new(ErrorKind::NoAuthenticatingAuthority, why);
        self.questions += 1;
        self.asked = true;
        if self.questions > QUESTIONS_MAX {
            return Err(none("the realms refer to each other without an end".to_owned()));
        }
        match self.options.kdc.ask(request.data).await {
            Ok(answer) => {
                let envelope = Envelope::read(&answer).ok();
                self.refused = envelope.as_ref().and_then(|envelope| error_code(&envelope.message));
                let other = envelope.and_then(|envelope| {
                    let message = self.exchange.take(&envelope.message)?;
                    Some(Envelope { message, ..envelope }.write())
                });
                Ok(other.unwrap_or(answer))
            }
            Err(why) => {
                self.unanswered = Some(why.clone());
                Err(none(why))
            }
        }
    }

    /// What it means that sspi ends with this.
    fn error(&self, error: &SspiError) -> KerberosError {
        let account = &self.options.account;
        let (realm, user, service) = (account.realm.clone(), account.user.clone(), account.service());
        if let Some(why) = &self.unanswered {
            return KerberosError::NoKdc { realm, why: why.clone() };
        }
        match self.refused.filter(|code| *code != PREAUTH_REQUIRED) {
            Some(6) => return KerberosError::NoAccount { realm, user },
            Some(24) => return KerberosError::WrongPassword { realm, user },
            Some(23) => return KerberosError::PasswordExpired { realm, user },
            // Its entry has expired, is revoked, or is not valid yet.
            Some(1 | 18 | 21) => return KerberosError::AccountLocked { realm, user },
            Some(7) => return KerberosError::NoService { realm, service },
            Some(14) => return KerberosError::NoAes { realm, user, service },
            Some(37) => return KerberosError::Clock { realm },
            Some(code) => return KerberosError::Refused { realm, code },
            None => {}
        }
        match error.error_type {
            ErrorKind::NoAuthenticatingAuthority => KerberosError::NoKdc { realm, why: error.description.clone() },
            _ if self.questions == 0 => KerberosError::NotTaken { realm, why: error.to_string() },
            _ if self.asked => KerberosError::Unclear { realm, user, why: error.to_string() },
            _ => KerberosError::TicketRefused { service, why: error.to_string() },
        }
    }

    /// What it means that the machine hangs up.
    fn hung_up(&self) -> KerberosError {
        let why = "it closed the connection".to_owned();
        let account = &self.options.account;
        if self.questions == 0 {
            KerberosError::NotTaken { realm: account.realm.clone(), why }
        } else {
            KerberosError::TicketRefused { service: account.service(), why }
        }
    }

    fn broken(&self, broken: Broken) -> Broken {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
        match broken {
            Broken::Io(error) if [BrokenPipe, ConnectionReset, UnexpectedEof].contains(&error.kind()) => {
                Broken::Kerberos(self.hung_up())
            }
            other => other,
        }
    }
}

/// Signs in; `key` is the machine's public key from its certificate.
pub(crate) async fn authenticate<S>(
    stream: &mut S,
    options: &KerberosOptions,
    password: &SecretString,
    selected_protocol: SecurityProtocol,
    key: Vec<u8>,
) -> Result<(), Broken>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let account = &options.account;
    let exchange = AsExchange::new(password);
    let mut attempt = Attempt { options, exchange, questions: 0, asked: false, refused: None, unanswered: None };
    let unfit = |what: String| Broken::Limit(format!("it cannot be asked to let {} in: {what}", account.user));
    let username =
        Username::new_down_level_logon_name(&account.user, &account.realm).map_err(|error| unfit(error.to_string()))?;
    let identity = AuthIdentity { username, password: password.expose_secret().to_owned().into() };
    let mode = ClientMode::Negotiate(NegotiateConfig::new(
        Box::new(KerberosConfig::new(KDC_PLACE, "oriel".to_owned())),
        // Otherwise sspi falls back by itself, whoever forbade it.
        Some("kerberos".to_owned()),
        "oriel".to_owned(),
    ));
    let mut client = CredSspClient::new(key, identity.into(), CredSspMode::WithCredentials, mode, account.service())
        .map_err(|error| unfit(error.to_string()))?;
    let mut request = TsRequest::default();
    loop {
        attempt.asked = false;
        let state = {
            let mut generator = client.process(request);
            let mut state = generator.start();
            loop {
                match state {
                    GeneratorState::Completed(outcome) => break outcome,
                    GeneratorState::Suspended(question) => {
                        let answer = attempt.ask(question).await;
                        state = generator.resume(answer);
                    }
                }
            }
        };
        let (message, is_last) = match state {
            Ok(ClientState::ReplyNeeded(message)) => (message, false),
            Ok(ClientState::FinalMessage(message)) => (message, true),
            Err(error) => return Err(Broken::Kerberos(attempt.error(&error))),
        };
        let mut bytes = Vec::new();
        message.encode_ts_request(&mut bytes)?;
        stream.write_all(&bytes).await.map_err(|error| attempt.broken(error.into()))?;
        stream.flush().await.map_err(|error| attempt.broken(error.into()))?;
        if is_last {
            break;
        }
        let pdu = read_pdu(stream, &TsRequestHint).await.map_err(|broken| attempt.broken(broken))?;
        request = TsRequest::from_buffer(&pdu)
            .map_err(|error| Broken::Limit(format!("a message of CredSSP cannot be read ({error})")))?;
    }
    tracing::debug!(service = account.service(), questions = attempt.questions, "Signed in with Kerberos");
    if selected_protocol.contains(SecurityProtocol::HYBRID_EX) {
        let mut result = [0; EARLY_USER_AUTH_RESULT_PDU_SIZE];
        stream.read_exact(&mut result).await.map_err(|error| attempt.broken(error.into()))?;
        match EarlyUserAuthResult::from_buffer(&result[..]) {
            Ok(EarlyUserAuthResult::Success) => {}
            Ok(EarlyUserAuthResult::AccessDenied) => return Err(Broken::Denied),
            Err(error) => return Err(Broken::Limit(format!("its last word of CredSSP cannot be read ({error})"))),
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Nobody;

    #[async_trait]
    impl Kdc for Nobody {
        async fn ask(&self, _: Vec<u8>) -> Result<Vec<u8>, String> {
            Err("nobody is there".to_owned())
        }
    }

    #[tokio::test]
    async fn each_refusal_says_what_to_do() {
        let account = KerberosAccount {
            realm: "CORP.EXAMPLE".to_owned(),
            user: "anna".to_owned(),
            host: "desk.corp.example".to_owned(),
            or_ntlm: true,
        };
        let options = KerberosOptions { account, kdc: Arc::new(Nobody) };
        let password = SecretString::from("geheim");
        let attempt = |refused| {
            let exchange = AsExchange::new(&password);
            Attempt { options: &options, exchange, questions: 2, asked: false, refused, unanswered: None }
        };
        let ended = SspiError::new(ErrorKind::InternalError, "whatever");
        for (code, words, about_the_way) in [
            (6, "check how the name", false),
            (7, "TERMSRV/desk.corp.example", true),
            (14, "no AES key", true),
            (18, "locked", false),
            (23, "has expired", false),
            (24, "enter it again", false),
            (37, "NTP", true),
            (60, "error 60", false),
        ] {
            let error = attempt(Some(code)).error(&ended);
            assert!(error.to_string().contains(words), "{code}: {error}");
            assert_eq!(error.is_about_the_way(), about_the_way, "{code}");
        }
        // What every first answer says is no refusal.
        for code in [None, Some(PREAUTH_REQUIRED)] {
            assert!(matches!(attempt(code).error(&ended), KerberosError::TicketRefused { .. }));
        }
        let unclear = Attempt { asked: true, ..attempt(None) }.error(&ended);
        assert!(unclear.to_string().contains("pre-authentication"), "{unclear}");
        let early = Attempt { questions: 0, ..attempt(None) };
        assert!(matches!(early.error(&ended), KerberosError::NotTaken { .. }));
        let mut alone = attempt(None);
        let url = KerberosConfig::new(KDC_PLACE, String::new()).kdc_url.unwrap();
        let protocol = ironrdp_connector::sspi::NetworkProtocol::Https;
        let unanswered = alone.ask(NetworkRequest { protocol, url, data: vec![1] }).await.unwrap_err();
        assert!(alone.error(&unanswered).to_string().contains("nobody is there"));
    }
}
