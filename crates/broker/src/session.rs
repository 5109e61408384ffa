//! Being signed in: browsers by cookie, programs by token.

use crate::clock::now;
use crate::user::verify;
use crate::{Broker, BrokerError};
use oriel_identity as identity;
use oriel_model::{ApiToken, Micros, SignInStep, TokenId, TokenScope, User, WebSession};
use secrecy::SecretString;
use std::net::IpAddr;
use std::sync::PoisonError;

/// A browser's session ends so long after it began, however busy.
const SESSION_SECONDS_MAX: i64 = 7 * 24 * 3600;
/// And so long after it was last used.
pub(crate) const SESSION_IDLE_SECONDS: i64 = 12 * 3600;
/// One that waits at the door for a second factor ends so long after it began.
const DOOR_SECONDS: i64 = 10 * 60;
/// Tokens one person may hold.
const TOKENS_MAX: usize = 50;

/// A fresh session: `token` is the cookie's value and exists nowhere else.
pub struct SignedIn {
    pub user: User,
    pub session: WebSession,
    pub token: SecretString,
}

/// A fresh token: `secret` is shown once.
pub struct NewToken {
    pub token: ApiToken,
    pub secret: SecretString,
}

impl Broker {
    /// `device_sha256` is of the cookie of a remembered browser. What is missing still is the session's step.
    pub async fn sign_in(
        &self,
        name: &str,
        password: SecretString,
        device_sha256: Option<&str>,
        address: IpAddr,
    ) -> Result<SignedIn, BrokerError> {
        let user = self.prove(name, password, address).await?;
        let step = self.step_of(&user, device_sha256).await?;
        self.start_session(user, step).await
    }

    /// A fresh session for somebody who was inside when the old one ended.
    pub async fn renew_session(&self, user: User) -> Result<SignedIn, BrokerError> {
        self.start_session(user, SignInStep::Done).await
    }

    /// Nobody touched a desktop for too long in this browser: its session does nothing until [`Broker::unlock`].
    pub async fn lock(&self, session_sha256: &str) -> Result<(), BrokerError> {
        Ok(self.inner.store.lock_web_session(session_sha256, true).await?)
    }

    /// Opens a locked session with its person's password.
    pub async fn unlock(
        &self,
        session: &WebSession,
        user: &User,
        password: SecretString,
        address: IpAddr,
    ) -> Result<(), BrokerError> {
        self.prove(&user.name, password, address).await?;
        Ok(self.inner.store.lock_web_session(&session.token_sha256, false).await?)
    }

    /// Who has this name and this password. Those who guess are slowed down.
    pub(crate) async fn prove(&self, name: &str, password: SecretString, address: IpAddr) -> Result<User, BrokerError> {
        let throttled = {
            let mut throttle = self.inner.throttle.lock().unwrap_or_else(PoisonError::into_inner);
            throttle.check(name, address, std::time::Instant::now())
        };
        if let Err(wait) = throttled {
            return Err(BrokerError::TooMany { retry_seconds: wait.as_secs().max(1) });
        }
        let found = self.inner.store.user_by_name(name).await?;
        let (known, elsewhere) = match &found {
            Some((user, _)) => {
                tokio::try_join!(self.inner.store.directory_person(user.id), self.inner.store.provider_person(user.id))?
            }
            None => (None, None),
        };
        let proven = match found {
            // No password is theirs here, and none that a directory knows.
            Some(_) if elsewhere.is_some() => {
                verify(None, password).await?;
                None
            }
            Some((user, hash)) if known.is_none() => verify(Some(hash), password).await?.then_some(user),
            _ => {
                // As long as for people of our own: who is one cannot be told by the clock.
                verify(None, password.clone()).await?;
                self.prove_by_directory(known.as_ref(), name, &password).await?
            }
        };
        // No lock is held while waiting for the database.
        let throttle = || self.inner.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        match proven {
            Some(user) if !user.disabled => {
                throttle().success(name, address);
                Ok(user)
            }
            _ => {
                throttle().failure(name, address, std::time::Instant::now());
                tracing::warn!(user = %name.chars().take(64).collect::<String>(), %address, "Sign-in refused");
                Err(BrokerError::Credentials {
                    code: "bad_credentials",
                    text: "the name or the password is not right".into(),
                })
            }
        }
    }

    pub(crate) async fn start_session(&self, user: User, step: SignInStep) -> Result<SignedIn, BrokerError> {
        let (token, token_sha256) = identity::random_token();
        let (_, csrf) = identity::random_token();
        let session = WebSession {
            token_sha256,
            user: user.id,
            csrf,
            created: now(),
            expires: now().plus_seconds(if step == SignInStep::Done { SESSION_IDLE_SECONDS } else { DOOR_SECONDS }),
            locked: false,
            step,
        };
        self.inner.store.put_web_session(&session).await?;
        Ok(SignedIn { user, session, token })
    }

    /// The session behind a cookie's value, prolonged when it is in use.
    pub async fn session(&self, token_sha256: &str) -> Result<Option<(WebSession, User)>, BrokerError> {
        let now = now();
        let Some((mut session, user)) = self.inner.store.web_session(token_sha256, now).await? else { return Ok(None) };
        if user.disabled {
            return Ok(None);
        }
        if session.step != SignInStep::Done {
            return Ok(Some((session, user)));
        }
        // Written at most every few minutes: a page that polls must not write with every request.
        let fresh = now.plus_seconds(SESSION_IDLE_SECONDS).min(session.created.plus_seconds(SESSION_SECONDS_MAX));
        if fresh.0 - session.expires.0 > 300 * 1_000_000 {
            session.expires = fresh;
            self.inner.store.extend_web_session(&session.token_sha256, fresh).await?;
        }
        Ok(Some((session, user)))
    }

    pub async fn sign_out(&self, token_sha256: &str) -> Result<(), BrokerError> {
        Ok(self.inner.store.delete_web_session(token_sha256).await?)
    }

    pub async fn token_user(&self, token_sha256: &str) -> Result<Option<(ApiToken, User)>, BrokerError> {
        let found = self.inner.store.api_token_by_hash(token_sha256, now()).await?;
        Ok(found.filter(|(_, user)| !user.disabled))
    }

    pub async fn tokens(&self, user: &User) -> Result<Vec<ApiToken>, BrokerError> {
        Ok(self.inner.store.api_tokens_of(user.id).await?)
    }

    pub async fn create_token(
        &self,
        user: &User,
        label: &str,
        expires_in_days: Option<u32>,
        scope: TokenScope,
    ) -> Result<NewToken, BrokerError> {
        let label = label.trim();
        if label.is_empty() || label.chars().count() > 80 || label.chars().any(char::is_control) {
            return Err(BrokerError::invalid(
                "bad_label",
                "the token's label is empty or too long",
                "say in 1 to 80 characters what the token is for",
            ));
        }
        if self.tokens(user).await?.len() >= TOKENS_MAX {
            return Err(BrokerError::conflict(
                "too_many_tokens",
                format!("you already have {TOKENS_MAX} tokens"),
                "delete those you no longer use",
            ));
        }
        let (secret, token_sha256) = identity::random_token();
        let expires: Option<Micros> = expires_in_days.map(|days| now().plus_seconds(i64::from(days) * 24 * 3600));
        let token = ApiToken {
            id: TokenId::new(),
            token_sha256,
            user: user.id,
            label: label.to_owned(),
            created: now(),
            expires,
            scope,
        };
        self.inner.store.put_api_token(&token).await?;
        Ok(NewToken { token, secret })
    }

    pub async fn delete_token(&self, user: &User, id: TokenId) -> Result<(), BrokerError> {
        Ok(self.inner.store.delete_api_token(id, user.id).await?)
    }
}
