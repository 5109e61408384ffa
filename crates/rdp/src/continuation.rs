//! What a machine leaves for the next connection to the same session: the cookie that takes it up again (MS-RDPBCGR 2.2.4.2),
//! and where to go for it (2.2.13.1).

use crate::{REDIRECTION_HOST_BYTES_MAX, REDIRECTION_HOSTS_MAX, REDIRECTIONS_MAX};
use ironrdp_connector::{ClientConnector, Config, Credentials};
use ironrdp_pdu::gcc::{ClientClusterData, RedirectionFlags, RedirectionVersion};
use ironrdp_pdu::rdp::server_redirection::{ServerRedirectionFlags, ServerRedirectionPdu};
use ironrdp_pdu::rdp::session_info::ServerAutoReconnect;
use oriel_pin::HostPin;
use secrecy::{ExposeSecret as _, SecretSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Longest routing token, in bytes (MS-RDPBCGR 2.2.1.1 leaves it this much of the first message).
const TOKEN_BYTES_MAX: usize = 238;

/// Shared by a session and by those who connect to it anew.
#[derive(Clone, Debug, Default)]
pub struct Continuation(Arc<Mutex<Left>>);

#[derive(Debug, Default)]
struct Left {
    cookie: Option<ServerAutoReconnect>,
    redirection: Option<Redirection>,
    redirections: usize,
    /// A redirection that nobody went after yet.
    fresh: bool,
}

#[derive(Clone)]
struct Redirection {
    hosts: Vec<String>,
    session: u32,
    token: Option<String>,
    user: Option<String>,
    domain: Option<String>,
    password: Option<SecretSlice<u8>>,
    /// The certificate that the next machine will show.
    certificate: Option<[u8; 32]>,
}

impl std::fmt::Debug for Redirection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redirection")
            .field("hosts", &self.hosts)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

impl Continuation {
    fn left(&self) -> MutexGuard<'_, Left> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the machine gave a cookie: a broken connection can be taken up again, without a password.
    pub fn has_cookie(&self) -> bool {
        self.left().cookie.is_some()
    }

    /// Names or addresses to dial instead of the machine's own, best first; none: the machine's own.
    pub fn hosts(&self) -> Vec<String> {
        self.left().redirection.as_ref().map(|redirection| redirection.hosts.clone()).unwrap_or_default()
    }

    /// Whether the machine has sent the connection on since this was last asked.
    pub fn take_redirected(&self) -> bool {
        std::mem::take(&mut self.left().fresh)
    }

    pub(crate) fn keep_cookie(&self, cookie: ServerAutoReconnect) {
        self.left().cookie = Some(cookie);
    }

    pub(crate) fn drop_cookie(&self) {
        self.left().cookie = None;
    }

    /// Keeps where the machine sends us. The error is for the person.
    pub(crate) fn redirect(&self, said: &ServerRedirectionPdu) -> Result<(), String> {
        let mut left = self.left();
        left.redirections += 1;
        if left.redirections > REDIRECTIONS_MAX {
            return Err(format!("it redirected the connection more than {REDIRECTIONS_MAX} times"));
        }
        let redirection = Redirection::read(said)?;
        tracing::info!(hosts = ?redirection.hosts, token = redirection.token.is_some(), "Machine redirects the connection");
        left.redirection = Some(redirection);
        // It was for the session on the other one.
        left.cookie = None;
        left.fresh = true;
        Ok(())
    }

    /// The certificate that must be shown.
    pub(crate) fn pin(&self, of_machine: HostPin) -> HostPin {
        let left = self.left();
        let announced = left.redirection.as_ref().and_then(|redirection| redirection.certificate);
        announced.map_or(of_machine, HostPin::Sha256)
    }

    /// As it is told to the next machine.
    pub(crate) fn apply(&self, config: &mut Config) {
        let left = self.left();
        let Some(Redirection { user, domain, .. }) = &left.redirection else { return };
        if let (Some(user), Credentials::UsernamePassword { username, .. }) = (user, &mut config.credentials) {
            username.clone_from(user);
        }
        if domain.is_some() {
            config.domain.clone_from(domain);
        }
    }

    /// `token`: the one that was entered for the machine. `admin`: the session of its own screen.
    pub(crate) fn announce(
        &self,
        mut connector: ClientConnector,
        token: Option<&str>,
        follow: bool,
        admin: bool,
    ) -> ClientConnector {
        let left = self.left();
        let redirection = left.redirection.as_ref();
        let token = redirection.map_or_else(|| token.map(str::to_owned), |redirection| redirection.token.clone());
        if let Some(token) = token {
            connector = connector.with_load_balance_info(token);
        }
        let session = redirection.map(|redirection| redirection.session).or(admin.then_some(0));
        if follow || session.is_some() {
            let mut flags = RedirectionFlags::REDIRECTION_SUPPORTED;
            flags.set(RedirectionFlags::REDIRECTED_SESSION_FIELD_VALID, session.is_some());
            connector = connector.with_cluster_data(ClientClusterData {
                flags,
                redirection_version: RedirectionVersion::V6,
                redirected_session_id: session.unwrap_or(0),
            });
        }
        if let Some(password) = redirection.and_then(|redirection| redirection.password.as_ref()) {
            connector = connector.with_redirection_password_cookie(password.expose_secret().to_vec());
        }
        match &left.cookie {
            Some(cookie) => connector.with_auto_reconnect_cookie(cookie.clone()),
            None => connector,
        }
    }
}

impl Redirection {
    fn read(said: &ServerRedirectionPdu) -> Result<Self, String> {
        let token = said.load_balance_info.as_deref().map(token).transpose()?;
        // With a token the same address leads on (MS-RDPBCGR 3.2.5.13.1): whoever spreads connections is behind it.
        let mut hosts: Vec<String> = Vec::new();
        if token.is_none() {
            let names = said.target_fqdn.iter().chain(&said.target_net_address);
            let names = names.chain(said.target_net_addresses.iter().flatten()).chain(&said.target_netbios_name);
            for name in names.filter(|name| (1..=REDIRECTION_HOST_BYTES_MAX).contains(&name.len())) {
                if hosts.len() < REDIRECTION_HOSTS_MAX && !hosts.contains(name) {
                    hosts.push(name.clone());
                }
            }
        }
        // One that is encrypted is for RDSTLS, which is not spoken: what is kept for the machine signs in.
        let sealed = said.flags.contains(ServerRedirectionFlags::PASSWORD_IS_PK_ENCRYPTED);
        let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let certificate = said.target_certificate.as_ref().and_then(|container| container.certificate_der());
        Ok(Self {
            hosts,
            session: said.session_id,
            token,
            user: text(&said.username),
            domain: text(&said.domain),
            password: said.password.clone().filter(|password| !sealed && !password.is_empty()).map(Into::into),
            certificate: certificate.map(|der| oriel_pin::Fingerprint::of(der).0),
        })
    }
}

/// A routing token as it is sent back: the line end that it came with is not its own.
fn token(bytes: &[u8]) -> Result<String, String> {
    let bytes = bytes.strip_suffix(b"\r\n").unwrap_or(bytes);
    let printable = bytes.iter().all(|byte| (0x20..=0x7e).contains(byte));
    match std::str::from_utf8(bytes) {
        Ok(token) if printable && (1..=TOKEN_BYTES_MAX).contains(&token.len()) => Ok(token.to_owned()),
        _ => Err("it redirected the connection with a routing token that cannot be sent".to_owned()),
    }
}
