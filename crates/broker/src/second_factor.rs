//! What people show beside their passwords: codes of an authenticator app, passkeys ([`crate::passkey`]), recovery codes, browsers that
//! are remembered.
//!
//! ```text
//! password right ──▶ has none, none asked ───────────────▶ Done
//!                ├─▶ has none, a group asks ──▶ Enrol ──set up──▶ Done
//!                ├─▶ has one ──────▶ Factor ──code or passkey──▶ Done
//!                └─▶ has one, remembered browser ────────▶ Done     (not where a group asks every time)
//! ```
//! A session that is not `Done` lasts ten minutes and does nothing else. Programs' tokens are not asked.

use crate::clock::now;
use crate::{Broker, BrokerError};
use oriel_identity as identity;
use oriel_model::{Device, DeviceId, Micros, Passkey, SecondFactorRule, SignInStep, Totp, User, UserId, WebSession};
use secrecy::{ExposeSecret, SecretString};
use std::{collections::BTreeMap, net::IpAddr, sync::PoisonError};

/// How long a browser is remembered.
pub const DEVICE_SECONDS: i64 = 30 * 24 * 3600;
/// Whose password is kept by a provider changes what guards the account so long after signing in.
const FRESH_SECONDS: i64 = 10 * 60;
/// How long a secret waits for its first code.
const ENROL_SECONDS: i64 = 15 * 60;

/// What somebody has, and what is asked of them.
pub struct SecondFactor {
    pub rule: SecondFactorRule,
    /// Since when an app is set up.
    pub totp: Option<Micros>,
    /// Oldest first.
    pub passkeys: Vec<Passkey>,
    pub recovery_codes: u64,
    pub devices: Vec<Device>,
}

/// A secret that is not in force yet: `envelope` comes back with the app's first code.
pub struct NewTotp {
    pub secret: SecretString,
    pub uri: SecretString,
    pub envelope: String,
}

impl Broker {
    /// How far somebody comes whose password was right. `device_sha256` is of the cookie of a remembered browser.
    pub(crate) async fn step_of(&self, user: &User, device_sha256: Option<&str>) -> Result<SignInStep, BrokerError> {
        let rule = self.second_factor_rule(user.id).await?;
        if !self.has_second_factor(user.id).await? {
            return Ok(if rule >= SecondFactorRule::Required { SignInStep::Enrol } else { SignInStep::Done });
        }
        let remembered = match device_sha256 {
            Some(device) if rule != SecondFactorRule::EveryTime => {
                self.inner.store.is_remembered(user.id, device, now()).await?
            }
            _ => false,
        };
        Ok(if remembered { SignInStep::Done } else { SignInStep::Factor })
    }

    /// What somebody's groups ask, together.
    pub async fn second_factor_rule(&self, user: UserId) -> Result<SecondFactorRule, BrokerError> {
        Ok(SecondFactorRule::together(self.groups_of(user).await?.iter().map(|group| group.second_factor)))
    }

    /// Goes on at the door with a code. With `remember`, which is what the browser says it is, the answer is the value of the cookie
    /// of a remembered browser, unless the person is to be asked every time.
    pub async fn prove_second_factor(
        &self,
        session: &WebSession,
        user: &User,
        code: &str,
        remember: Option<&str>,
        address: IpAddr,
    ) -> Result<Option<SecretString>, BrokerError> {
        Self::waits_for_factor(session)?;
        self.check_code(user, code, address).await?;
        self.finish_and_remember(session, user, remember).await
    }

    pub(crate) fn waits_for_factor(session: &WebSession) -> Result<(), BrokerError> {
        match session.step {
            SignInStep::Factor => Ok(()),
            SignInStep::Done => Err(BrokerError::conflict(
                "no_factor_needed",
                "this browser is signed in already",
                "go on; nothing more is needed",
            )),
            SignInStep::Enrol => Err(no_factor()),
        }
    }

    /// The second factor was right: the session is whole. The value of the cookie where the browser is to be remembered.
    pub(crate) async fn finish_and_remember(
        &self,
        session: &WebSession,
        user: &User,
        remember: Option<&str>,
    ) -> Result<Option<SecretString>, BrokerError> {
        self.finish(session).await?;
        let Some(label) = remember else { return Ok(None) };
        if self.second_factor_rule(user.id).await? == SecondFactorRule::EveryTime {
            return Ok(None);
        }
        let (token, token_sha256) = identity::random_token();
        let device = Device {
            id: DeviceId::new(),
            token_sha256,
            user: user.id,
            label: label.chars().filter(|c| !c.is_control()).take(Device::LABEL_CHARS_MAX).collect(),
            created: now(),
            expires: now().plus_seconds(DEVICE_SECONDS),
        };
        self.inner.store.put_device(&device).await?;
        Ok(Some(token))
    }

    /// A secret for an app, to be confirmed. Whoever is inside gives the password again: it replaces what they have.
    pub async fn begin_totp(
        &self,
        session: &WebSession,
        user: &User,
        password: Option<SecretString>,
        address: IpAddr,
    ) -> Result<NewTotp, BrokerError> {
        self.may_set_up(session, user).await?;
        if session.step == SignInStep::Done {
            self.prove_again(session, user, password, address).await?;
        }
        let secret = identity::new_totp_secret();
        let until = now().plus_seconds(ENROL_SECONDS);
        let text = format!("{}:{}", until.0, secret.expose_secret());
        let envelope = self
            .inner
            .vault
            .seal(&text, &envelope_of(user, session))
            .map_err(|error| BrokerError::internal("sealing a second factor", error))?;
        Ok(NewTotp { uri: identity::totp_uri(&secret, &user.name), secret, envelope })
    }

    /// Puts the secret into force with its first code; the answer is the recovery codes, which are shown this once. At the door the
    /// session goes on with it. Browsers that were remembered are forgotten.
    pub async fn confirm_totp(
        &self,
        session: &WebSession,
        user: &User,
        envelope: &str,
        code: &str,
        address: IpAddr,
    ) -> Result<Vec<SecretString>, BrokerError> {
        self.may_set_up(session, user).await?;
        let stale = || {
            BrokerError::invalid(
                "enrolment_over",
                "this secret waited too long, or belongs to another browser",
                "begin again: ask for a new secret, and let the app read it",
            )
        };
        let opened = self.inner.vault.open(envelope, &envelope_of(user, session)).map_err(|_| stale())?;
        let (until, secret) = opened.expose_secret().split_once(':').ok_or_else(stale)?;
        if until.parse::<i64>().map_or(true, |until| until <= now().0) {
            return Err(stale());
        }
        let secret: SecretString = secret.to_owned().into();
        self.patience(user, true, address)?;
        let Some(step) = identity::check_totp(&secret, &digits(code), seconds(), 0) else {
            self.guessed_wrong(user, address);
            return Err(BrokerError::Credentials {
                code: "bad_code",
                text: "the app shows another code at this moment".into(),
            });
        };
        self.guessed_right(user, address);
        let sealed = self
            .inner
            .vault
            .seal(secret.expose_secret(), &context_of(user.id))
            .map_err(|error| BrokerError::internal("sealing a second factor", error))?;
        let (codes, hashes) = new_codes();
        let totp = Totp { user: user.id, secret: sealed, last_step: step, created: now() };
        self.inner.store.put_totp(&totp, &hashes).await?;
        self.inner.store.delete_devices_of(user.id).await?;
        if session.step != SignInStep::Done {
            self.finish(session).await?;
        }
        tracing::info!(user = %user.name, "Second factor set up");
        Ok(codes)
    }

    /// A person's own: takes their second factor away, with the password: app, passkeys, codes. Not while a group asks for one. With
    /// `keep_passkeys` the app alone goes, which is no matter of groups where there are passkeys.
    pub async fn remove_second_factor(
        &self,
        session: &WebSession,
        user: &User,
        password: Option<SecretString>,
        keep_passkeys: bool,
        address: IpAddr,
    ) -> Result<(), BrokerError> {
        let stays = keep_passkeys && !self.inner.store.passkeys_of(user.id).await?.is_empty();
        if !stays {
            self.may_do_without(user.id).await?;
        }
        self.prove_again(session, user, password, address).await?;
        if keep_passkeys {
            self.inner.store.delete_totp(user.id).await?;
        } else {
            self.inner.store.delete_second_factor(user.id).await?;
        }
        Ok(())
    }

    /// Whether somebody may be without a second factor.
    pub(crate) async fn may_do_without(&self, user: UserId) -> Result<(), BrokerError> {
        if self.second_factor_rule(user).await? >= SecondFactorRule::Required {
            return Err(BrokerError::conflict(
                "second_factor_required",
                "a group of yours asks for a second factor",
                "set up another one in its place first, or ask an administrator",
            ));
        }
        Ok(())
    }

    /// New recovery codes in place of those that were there, with the password.
    pub async fn new_recovery_codes(
        &self,
        session: &WebSession,
        user: &User,
        password: Option<SecretString>,
        address: IpAddr,
    ) -> Result<Vec<SecretString>, BrokerError> {
        self.prove_again(session, user, password, address).await?;
        if !self.has_second_factor(user.id).await? {
            return Err(no_factor());
        }
        let (codes, hashes) = new_codes();
        self.inner.store.put_recovery_codes(user.id, &hashes).await?;
        Ok(codes)
    }

    pub async fn second_factor(&self, user: UserId) -> Result<SecondFactor, BrokerError> {
        let store = &self.inner.store;
        Ok(SecondFactor {
            rule: self.second_factor_rule(user).await?,
            totp: store.totp(user).await?.map(|totp| totp.created),
            passkeys: store.passkeys_of(user).await?,
            recovery_codes: store.count_recovery_codes(user).await?,
            devices: store.devices_of(user, now()).await?,
        })
    }

    /// Everybody who has an app or passkeys, and how many passkeys, for lists.
    pub async fn users_with_second_factor(&self) -> Result<BTreeMap<UserId, u64>, BrokerError> {
        let (apps, mut all) =
            tokio::try_join!(self.inner.store.users_with_totp(), self.inner.store.passkeys_by_user())?;
        for user in apps {
            all.entry(user).or_default();
        }
        Ok(all)
    }

    pub(crate) async fn has_second_factor(&self, user: UserId) -> Result<bool, BrokerError> {
        let store = &self.inner.store;
        Ok(store.totp(user).await?.is_some() || !store.passkeys_of(user).await?.is_empty())
    }

    /// An administrator's, for who lost phone and codes: takes it away and signs the person out everywhere.
    pub async fn reset_second_factor(&self, user: UserId) -> Result<(), BrokerError> {
        if !self.inner.store.delete_second_factor(user).await? {
            return Err(no_factor());
        }
        self.inner.store.delete_web_sessions_of(user).await?;
        Ok(())
    }

    pub async fn forget_device(&self, user: &User, device: DeviceId) -> Result<(), BrokerError> {
        Ok(self.inner.store.delete_device(device, user.id).await?)
    }

    /// Where somebody may set up an app or a passkey: inside, or at the door when they have none. Whoever only knows the password of somebody who
    /// has one may not put their own in its place.
    pub(crate) async fn may_set_up(&self, session: &WebSession, user: &User) -> Result<(), BrokerError> {
        let allowed = match session.step {
            SignInStep::Done => true,
            SignInStep::Factor => false,
            SignInStep::Enrol => !self.has_second_factor(user.id).await?,
        };
        if allowed {
            return Ok(());
        }
        Err(BrokerError::Forbidden {
            code: "second_factor_needed",
            text: "you have a second factor already, and this browser has not shown it yet".into(),
        })
    }

    /// Whoever changes what guards an account shows again who they are: with the password, or, where a provider keeps it, by having come
    /// from there just now.
    pub(crate) async fn prove_again(
        &self,
        session: &WebSession,
        user: &User,
        password: Option<SecretString>,
        address: IpAddr,
    ) -> Result<(), BrokerError> {
        if self.inner.store.provider_person(user.id).await?.is_none() {
            let password = password.ok_or_else(|| {
                BrokerError::invalid("password_missing", "this needs your password", "send it as `password`")
            })?;
            return self.prove(&user.name, password, address).await.map(drop);
        }
        if session.created.plus_seconds(FRESH_SECONDS) > now() {
            return Ok(());
        }
        Err(BrokerError::conflict(
            "sign_in_again",
            format!("you signed in more than {} minutes ago", FRESH_SECONDS / 60),
            "sign out, and in again: for a few minutes after that this can be changed",
        ))
    }

    pub(crate) async fn finish(&self, session: &WebSession) -> Result<(), BrokerError> {
        let expires = now().plus_seconds(crate::session::SESSION_IDLE_SECONDS);
        if self.inner.store.finish_web_session(&session.token_sha256, expires).await? {
            return Ok(());
        }
        Err(BrokerError::missing("session", "of this browser"))
    }

    /// A code of the app, or a recovery code: right once. Those who guess are slowed down.
    async fn check_code(&self, user: &User, code: &str, address: IpAddr) -> Result<(), BrokerError> {
        let recovery = identity::recovery_code_sha256(code);
        self.patience(user, recovery.is_none(), address)?;
        let right = match recovery {
            Some(hash) => self.inner.store.take_recovery_code(user.id, &hash).await?,
            None => self.takes_totp(user.id, &digits(code)).await?,
        };
        if right {
            self.guessed_right(user, address);
            return Ok(());
        }
        self.guessed_wrong(user, address);
        tracing::warn!(user = %user.name, %address, "Second factor refused");
        Err(BrokerError::Credentials { code: "bad_code", text: "the code is not right, or was used already".into() })
    }

    async fn takes_totp(&self, user: UserId, code: &str) -> Result<bool, BrokerError> {
        let Some(totp) = self.inner.store.totp(user).await? else { return Ok(false) };
        let secret = self
            .inner
            .vault
            .open(&totp.secret, &context_of(user))
            .map_err(|error| BrokerError::internal("opening a second factor", error))?;
        match identity::check_totp(&secret, code, seconds(), totp.last_step) {
            Some(step) => Ok(self.inner.store.take_totp_step(user, step).await?),
            None => Ok(false),
        }
    }

    pub(crate) fn patience(&self, user: &User, short: bool, address: IpAddr) -> Result<(), BrokerError> {
        let at = std::time::Instant::now();
        let mut throttle = self.inner.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = throttle
            .check(&guesses_of(user), address, at)
            .and_then(|()| if short { throttle.check_code(&user.id.to_string(), at) } else { Ok(()) });
        waited.map_err(|wait| BrokerError::TooMany { retry_seconds: wait.as_secs().max(1) })
    }

    pub(crate) fn guessed_right(&self, user: &User, address: IpAddr) {
        let mut throttle = self.inner.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        throttle.success(&guesses_of(user), address);
        throttle.code_success(&user.id.to_string());
    }

    pub(crate) fn guessed_wrong(&self, user: &User, address: IpAddr) {
        let mut throttle = self.inner.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        throttle.failure(&guesses_of(user), address, std::time::Instant::now());
    }
}

fn no_factor() -> BrokerError {
    BrokerError::conflict("no_second_factor", "no second factor is set up", "set one up first, under My account")
}

/// Counted apart from the name's passwords.
fn guesses_of(user: &User) -> String {
    format!("second factor {}", user.id)
}

pub(crate) fn context_of(user: UserId) -> String {
    format!("totp:{user}")
}

/// Who may bring it back: this person, in this browser.
fn envelope_of(user: &User, session: &WebSession) -> String {
    format!("new totp:{}:{}", user.id, session.token_sha256)
}

/// As apps show codes: `123 456`.
fn digits(code: &str) -> String {
    code.chars().filter(|c| !c.is_whitespace()).take(16).collect()
}

/// Since 1970.
fn seconds() -> u64 {
    u64::try_from(now().0 / 1_000_000).unwrap_or_default()
}

pub(crate) fn new_codes() -> (Vec<SecretString>, Vec<String>) {
    let codes = identity::new_recovery_codes();
    let hashes = codes.iter().filter_map(|code| identity::recovery_code_sha256(code.expose_secret())).collect();
    (codes, hashes)
}
