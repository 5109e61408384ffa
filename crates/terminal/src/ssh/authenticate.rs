//! Signing in: what the machine takes and we have, until it is content (RFC 4252).

use super::credentials::{Credentials, Identity};
use super::host_key::Host;
use super::question::{Ask, PROMPTS_MAX, Prompt, ROUNDS_MAX, ask, shown, wants_password};
use crate::TerminalError;
use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::agent::AgentIdentity;
use russh::keys::ssh_key::Algorithm;
use russh::keys::ssh_key::Error as SshKeyError;
use russh::keys::ssh_key::private::PrivateKey;
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, signature::Signer};
use russh::{MethodKind, MethodSet};
use secrecy::ExposeSecret;
use std::sync::Arc;

/// A machine may ask for one thing after the other (a key, then a code), so many times.
const STAGES_MAX: usize = 4;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Certificate,
    Key,
    Password,
    Interactive,
    /// A password that nobody configured, from the person.
    AskedPassword,
}

impl Method {
    const ALL: [Self; 5] = [Self::Certificate, Self::Key, Self::Password, Self::Interactive, Self::AskedPassword];

    const fn kind(self) -> MethodKind {
        match self {
            Self::Certificate | Self::Key => MethodKind::PublicKey,
            Self::Password | Self::AskedPassword => MethodKind::Password,
            Self::Interactive => MethodKind::KeyboardInteractive,
        }
    }
}

/// How an attempt ended.
struct Answer {
    success: bool,
    partial: bool,
    remaining: MethodSet,
}

impl From<AuthResult> for Answer {
    fn from(result: AuthResult) -> Self {
        match result {
            AuthResult::Success => Self { success: true, partial: false, remaining: MethodSet::empty() },
            AuthResult::Failure { remaining_methods, partial_success } => {
                Self { success: false, partial: partial_success, remaining: remaining_methods }
            }
        }
    }
}

pub(crate) async fn authenticate(
    connection: &mut Handle<Host>,
    credentials: &Credentials,
    identity: Option<&Identity>,
    person: Option<&Ask>,
) -> Result<(), TerminalError> {
    let user = credentials.user.as_str();
    let possible = |method: Method| match method {
        Method::Certificate => identity.is_some_and(|identity| identity.certificate.is_some()),
        Method::Key => identity.is_some(),
        Method::Password => credentials.password.is_some(),
        Method::Interactive => credentials.password.is_some() || person.is_some(),
        Method::AskedPassword => credentials.password.is_none() && person.is_some(),
    };
    // Section 5.2: "none" is answered with what the machine takes.
    let mut answer: Answer = connection.authenticate_none(user).await?.into();
    let (mut tried, mut stages) = (Vec::new(), 1);
    let mut offered = answer.remaining.clone();
    while !answer.success {
        let takes = |method: &Method| offered.is_empty() || offered.contains(&method.kind());
        let next = Method::ALL.into_iter().find(|m| possible(*m) && !tried.contains(m) && takes(m));
        let Some(method) = next.filter(|_| stages <= STAGES_MAX && !connection.is_closed()) else {
            return Err(refused(user, &offered));
        };
        tried.push(method);
        answer = match method {
            Method::Certificate | Method::Key => {
                let Some(identity) = identity else { return Err(refused(user, &offered)) };
                by_key(connection, user, identity, method).await?
            }
            Method::Password => {
                let password = credentials.password.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default();
                connection.authenticate_password(user, password).await?.into()
            }
            Method::AskedPassword => {
                let prompt = Prompt { text: format!("{user}'s password: "), echo: false };
                let text = prompt.text.trim().to_owned();
                let Some(password) = ask(person, "", "", vec![prompt]).await.and_then(|mut answers| answers.pop())
                else {
                    return Err(TerminalError::Unanswered { user: user.to_owned(), prompt: text });
                };
                connection.authenticate_password(user, password.expose_secret()).await?.into()
            }
            Method::Interactive => interactive(connection, credentials, person).await?,
        };
        if answer.partial {
            // What was taken is not asked for again; the rest may be.
            stages += 1;
            tried = vec![method];
        }
        offered = answer.remaining.clone();
    }
    Ok(())
}

fn refused(user: &str, offered: &MethodSet) -> TerminalError {
    let offered: Vec<&str> = offered.iter().map(Into::into).collect();
    let offered = if offered.is_empty() { "nothing further".to_owned() } else { offered.join(", ") };
    TerminalError::CredentialsRefused { user: user.to_owned(), offered }
}

async fn by_key(
    connection: &mut Handle<Host>,
    user: &str,
    identity: &Identity,
    method: Method,
) -> Result<Answer, TerminalError> {
    let rsa = matches!(identity.key.algorithm(), Algorithm::Rsa { .. });
    if let (Method::Certificate, Some(certificate)) = (method, &identity.certificate) {
        let hash = rsa.then_some(HashAlg::Sha512);
        let mut signer = KeySigner(Arc::clone(&identity.key));
        return Ok(connection
            .authenticate_certificate_with(user, certificate.clone(), hash, &mut signer)
            .await
            .map_err(|SignError(error)| error)?
            .into());
    }
    // SHA-1 signatures are for servers that know nothing better.
    let hash = if rsa { connection.best_supported_rsa_hash().await?.unwrap_or(Some(HashAlg::Sha256)) } else { None };
    let key = PrivateKeyWithHashAlg::new(Arc::clone(&identity.key), hash);
    Ok(connection.authenticate_publickey(user, key).await?.into())
}

async fn interactive(
    connection: &mut Handle<Host>,
    credentials: &Credentials,
    person: Option<&Ask>,
) -> Result<Answer, TerminalError> {
    use KeyboardInteractiveAuthResponse as R;
    let mut password = credentials.password.as_ref();
    let mut response = connection.authenticate_keyboard_interactive_start(credentials.user.as_str(), None).await?;
    for _ in 0..ROUNDS_MAX {
        let (name, instructions, prompts) = match response {
            R::Success => return Ok(Answer { success: true, partial: false, remaining: MethodSet::empty() }),
            R::Failure { remaining_methods, partial_success } => {
                return Ok(Answer { success: false, partial: partial_success, remaining: remaining_methods });
            }
            R::InfoRequest { name, instructions, prompts } => (name, instructions, prompts),
        };
        if prompts.len() > PROMPTS_MAX {
            return Err(TerminalError::TooMany { what: "the number of questions at once", max: PROMPTS_MAX });
        }
        let prompts: Vec<Prompt> =
            prompts.into_iter().map(|prompt| Prompt { text: shown(&prompt.prompt), echo: prompt.echo }).collect();
        let answers = match (prompts.as_slice(), password) {
            ([], _) => Vec::new(),
            // Once: a machine that asks again did not like it.
            ([prompt], Some(known)) if wants_password(prompt) => {
                password = None;
                vec![known.expose_secret().to_owned()]
            }
            _ => {
                let text = prompts.first().map(|prompt| prompt.text.clone()).unwrap_or_default();
                let Some(answers) = ask(person, &name, &instructions, prompts).await else {
                    let user = credentials.user.clone();
                    return Err(TerminalError::Unanswered { user, prompt: text });
                };
                answers.iter().map(|answer| answer.expose_secret().to_owned()).collect()
            }
        };
        response = connection.authenticate_keyboard_interactive_respond(answers).await?;
    }
    Err(TerminalError::TooMany { what: "the number of rounds of questions", max: ROUNDS_MAX })
}

/// Signs with a key for its certificate: the library signs RSA certificates with SHA-1 names, which servers refuse.
struct KeySigner(Arc<PrivateKey>);

struct SignError(russh::Error);

impl From<russh::SendError> for SignError {
    fn from(_: russh::SendError) -> Self {
        Self(russh::Error::SendError)
    }
}

impl russh::Signer for KeySigner {
    type Error = SignError;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        _: Option<HashAlg>,
        mut data: Vec<u8>,
    ) -> Result<Vec<u8>, Self::Error> {
        // RSA signs with SHA-512 here, which is what we announce.
        let signature = self.0.try_sign(&data).map_err(|error| SignError(error.into()))?;
        let signature: Vec<u8> = signature.try_into().map_err(|error: SshKeyError| SignError(error.into()))?;
        data.extend((signature.len() as u32).to_be_bytes());
        data.extend(signature);
        Ok(data)
    }
}
