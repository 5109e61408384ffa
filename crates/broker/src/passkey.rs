//! Passkeys: a second factor beside the password, and both at once without one.
//!
//! ```text
//! at the door:  ask ─▶ a sealed cookie of this browser ─▶ the authenticator ─▶ finish: fits, first time ─▶ whose it is ─▶ session, Done
//! with session: ask ─▶ a sealed envelope for this session ─▶ the authenticator ─▶ shown, or added: fits, first time
//! ```
//! Nothing is written for somebody who only asks, and what is asked at the door is the same for everybody: no name is sent, and none is
//! told. What comes back is used up before it is looked at, once among all programs on the database. A passkey works on the host that
//! it was made on.

use crate::clock::now;
use crate::second_factor::new_codes;
use crate::session::SignedIn;
use crate::{Broker, BrokerError};
use oriel_identity as identity;
use oriel_identity::passkey::{
    Asserted, CREDENTIAL_ID_CHARS_MAX, Credential, Expected, NoParty, PasskeyError, RelyingParty, assert, of_base64url,
    register, to_base64url,
};
use oriel_model::{Micros, Passkey, PasskeyId, SignInStep, User, WebSession};
use oriel_store::{PasskeyAdded, StoreError};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::{net::IpAddr, sync::PoisonError, time::Instant};

/// How long a person may take with their authenticator.
pub const PASSKEY_SECONDS: i64 = 5 * 60;
/// What programs whose clocks differ may differ by.
const SKEW_SECONDS: i64 = 60;
/// Longest text that a browser sends, in characters; the parsers have limits of their own below it.
const SENT_CHARS_MAX: usize = 24 << 10;
/// What the cookie of the door is sealed for.
const DOOR: &str = "sign-in by a passkey";
/// By which the door's attempts are counted, each address alone; no name of a person has a blank.
const ANYBODY: &str = "any passkey";
/// Random bytes by which authenticators know a person (WebAuthn level 3, section 14.6.1, asks for 64 bytes at most, and nothing that tells who it is).
const HANDLE_BYTES: usize = 32;

/// A question on its way: what the browser holds, sealed.
#[derive(Serialize, Deserialize)]
struct Waiting {
    challenge: String,
    origin: String,
    began: Micros,
    /// For a passkey that is made: how authenticators will know its person.
    #[serde(default)]
    handle: Option<String>,
}

/// What an authenticator is asked to sign.
pub struct PasskeyAsk {
    /// base64url.
    pub challenge: String,
    pub rp_id: String,
    /// Those that may answer; empty at the door, where authenticators look for themselves.
    pub allowed: Vec<Passkey>,
    /// They must ask for a PIN, a finger or a face.
    pub verified: bool,
    /// Comes back with the answer: as a cookie at the door, in the answer elsewhere.
    pub envelope: SecretString,
}

/// What an authenticator is asked to make.
pub struct PasskeyCreation {
    /// base64url.
    pub challenge: String,
    pub rp_id: String,
    /// base64url.
    pub user_handle: String,
    /// Those that are there: an authenticator that has one makes no other.
    pub known: Vec<Passkey>,
    pub envelope: SecretString,
}

/// What a browser sends of a passkey that was used, each text as base64url.
pub struct PasskeyShown {
    /// [`PasskeyAsk::envelope`].
    pub envelope: String,
    pub credential_id: String,
    pub client_data: String,
    pub authenticator_data: String,
    pub signature: String,
    pub user_handle: Option<String>,
}

/// What a browser sends of a passkey that was made.
pub struct NewPasskey {
    pub label: String,
    /// base64url.
    pub client_data: String,
    /// base64url.
    pub attestation: String,
    pub transports: Vec<String>,
    /// The browser says that authenticators find it by themselves.
    pub discoverable: bool,
}

/// Who came with a passkey alone, unless they are refused.
pub struct PasskeyArrival {
    /// For the audit; once it is known.
    pub name: Option<String>,
    pub outcome: Result<SignedIn, BrokerError>,
}

impl Broker {
    /// What the door asks of anybody. `origin` is that of our own page which asks.
    pub fn begin_passkey_sign_in(&self, origin: &str) -> Result<PasskeyAsk, BrokerError> {
        let party = party(origin)?;
        let (challenge, envelope) = self.wait_for(&party, None, DOOR)?;
        Ok(PasskeyAsk { challenge, rp_id: party.id().to_owned(), allowed: Vec::new(), verified: true, envelope })
    }

    /// Signs in whoever has this passkey, without a password; the envelope is the cookie that this browser was given.
    pub async fn finish_passkey_sign_in(&self, origin: &str, shown: &PasskeyShown, address: IpAddr) -> PasskeyArrival {
        let mut name = None;
        let outcome = self.arrive_by_passkey(origin, shown, address, &mut name).await;
        if let Err(error) = &outcome {
            tracing::warn!(user = name.as_deref().unwrap_or("unknown"), %address, %error, "Sign-in by a passkey refused");
        }
        PasskeyArrival { name, outcome }
    }

    async fn arrive_by_passkey(
        &self,
        origin: &str,
        shown: &PasskeyShown,
        address: IpAddr,
        name: &mut Option<String>,
    ) -> Result<SignedIn, BrokerError> {
        let party = party(origin)?;
        let waiting = self.waited_for(&shown.envelope, &party, DOOR)?;
        let throttle = || self.inner.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        throttle()
            .check(ANYBODY, address, Instant::now())
            .map_err(|wait| BrokerError::TooMany { retry_seconds: wait.as_secs().max(1) })?;
        self.use_up(&waiting).await?;
        let proven = self.proves(None, &party, &waiting, shown, true).await;
        match &proven {
            Ok(_) => throttle().success(ANYBODY, address),
            Err(_) => throttle().failure(ANYBODY, address, Instant::now()),
        }
        let (passkey, asserted) = proven?;
        let user = self.inner.store.user(passkey.user).await?.ok_or_else(refused)?;
        *name = Some(user.name.clone());
        self.counted(&passkey, asserted).await?;
        self.may_come_alone(&user).await?;
        tracing::info!(user = %user.name, passkey = %passkey.label, "Signed in by a passkey");
        self.start_session(user, SignInStep::Done).await
    }

    /// Whether a passkey alone lets this person in: they have shown whose it is, so that they may be told why not.
    async fn may_come_alone(&self, user: &User) -> Result<(), BrokerError> {
        let store = &self.inner.store;
        let (directory, provider) = tokio::try_join!(store.directory_person(user.id), store.provider_person(user.id))?;
        if user.disabled || directory.as_ref().is_some_and(|of| !of.active) {
            return Err(BrokerError::Forbidden {
                code: "not_let_in",
                text: "your account is disabled here".to_owned(),
            });
        }
        if provider.is_some() {
            return Err(BrokerError::Forbidden {
                code: "provider_first",
                text: "you sign in by a provider, which says whether you may; your passkey is the second factor after that"
                    .to_owned(),
            });
        }
        let Some(of) = directory else { return Ok(()) };
        let asked =
            store.directory(of.directory).await?.is_some_and(|one| one.enabled && one.settings.bind_dn.is_some());
        if asked {
            return Ok(());
        }
        Err(BrokerError::Forbidden {
            code: "password_first",
            text: "your directory says only with your password whether you may; your passkey is the second factor after that"
                .to_owned(),
        })
    }

    /// What the second factor asks of somebody whose password was right.
    pub async fn begin_passkey_factor(
        &self,
        session: &WebSession,
        user: &User,
        origin: &str,
    ) -> Result<PasskeyAsk, BrokerError> {
        Self::waits_for_factor(session)?;
        let party = party(origin)?;
        let all = self.inner.store.passkeys_of(user.id).await?;
        let hosts: Vec<String> = all.iter().map(|one| one.rp_id.clone()).collect();
        let allowed: Vec<Passkey> = all.into_iter().filter(|one| one.rp_id == party.id()).collect();
        if allowed.is_empty() {
            let text = match hosts.first() {
                Some(host) => format!("your passkeys were made on {host}, and work only there"),
                None => "you have no passkey".to_owned(),
            };
            let next = "send a code of your app, or a recovery code; or open Oriel at that address";
            return Err(BrokerError::conflict("no_passkey_here", text, next));
        }
        let (challenge, envelope) = self.wait_for(&party, None, &factor_of(user, session))?;
        Ok(PasskeyAsk { challenge, rp_id: party.id().to_owned(), allowed, verified: false, envelope })
    }

    /// Goes on at the door with a passkey. `remember` and the answer are as with codes.
    pub async fn prove_passkey(
        &self,
        session: &WebSession,
        user: &User,
        origin: &str,
        shown: &PasskeyShown,
        remember: Option<&str>,
        address: IpAddr,
    ) -> Result<Option<SecretString>, BrokerError> {
        Self::waits_for_factor(session)?;
        let party = party(origin)?;
        let waiting = self.waited_for(&shown.envelope, &party, &factor_of(user, session))?;
        self.patience(user, false, address)?;
        self.use_up(&waiting).await?;
        let proven = match self.proves(Some(user), &party, &waiting, shown, false).await {
            Ok((passkey, asserted)) => self.counted(&passkey, asserted).await,
            Err(error) => Err(error),
        };
        if let Err(error) = proven {
            self.guessed_wrong(user, address);
            tracing::warn!(user = %user.name, %address, %error, "Passkey refused");
            return Err(error);
        }
        self.guessed_right(user, address);
        self.finish_and_remember(session, user, remember).await
    }

    /// A passkey to be made: by whoever is inside, with the password, or at the door by whoever has no second factor.
    pub async fn begin_passkey(
        &self,
        session: &WebSession,
        user: &User,
        origin: &str,
        password: Option<SecretString>,
        address: IpAddr,
    ) -> Result<PasskeyCreation, BrokerError> {
        self.may_set_up(session, user).await?;
        let party = party(origin)?;
        if session.step == SignInStep::Done {
            self.prove_again(session, user, password, address).await?;
        }
        let known = self.inner.store.passkeys_of(user.id).await?;
        if known.len() as u64 >= Passkey::PER_USER_MAX {
            return Err(too_many());
        }
        let handle = match known.first() {
            Some(one) => one.user_handle.clone(),
            None => to_base64url(&rand::random::<[u8; HANDLE_BYTES]>()),
        };
        let (challenge, envelope) = self.wait_for(&party, Some(handle.clone()), &new_of(user, session))?;
        Ok(PasskeyCreation { challenge, rp_id: party.id().to_owned(), user_handle: handle, known, envelope })
    }

    /// Keeps a passkey that was made; with it recovery codes, shown this once, where the person had none. At the door the session goes
    /// on with it.
    pub async fn add_passkey(
        &self,
        session: &WebSession,
        user: &User,
        origin: &str,
        envelope: &str,
        new: &NewPasskey,
    ) -> Result<(Passkey, Vec<SecretString>), BrokerError> {
        self.may_set_up(session, user).await?;
        let party = party(origin)?;
        let label = label_of(&new.label)?;
        let waiting = self.waited_for(envelope, &party, &new_of(user, session))?;
        self.use_up(&waiting).await?;
        let handle = waiting.handle.clone().ok_or_else(over)?;
        let expected = Expected { party: &party, challenge: &waiting.challenge, verified: false };
        let made = sent(&new.client_data)
            .zip(sent(&new.attestation))
            .ok_or(PasskeyError::Malformed { what: "what the browser sent" })
            .and_then(|(client_data, attestation)| register(&expected, &client_data, &attestation));
        let made = made.map_err(|error| {
            tracing::warn!(user = %user.name, %error, "A new passkey was refused");
            BrokerError::invalid(
                "passkey_refused",
                format!("this passkey cannot be kept: {error}"),
                "try again, in the browser's own window and with an authenticator that it knows",
            )
        })?;
        let known = new.transports.iter().map(String::as_str);
        let transports = Passkey::TRANSPORTS.into_iter().filter(|one| known.clone().any(|sent| sent == *one));
        let passkey = Passkey {
            id: PasskeyId::new(),
            user: user.id,
            label,
            credential_id: to_base64url(&made.credential_id),
            public_key: to_base64url(&made.public_key),
            rp_id: party.id().to_owned(),
            user_handle: handle,
            transports: transports.map(str::to_owned).collect(),
            sign_count: made.sign_count,
            synced: made.backup_eligible,
            alone: new.discoverable && made.verified,
            created: now(),
            last_used: None,
        };
        let (codes, hashes) = new_codes();
        let added = match self.inner.store.add_passkey(&passkey, &hashes).await {
            Err(StoreError::Taken { .. }) => {
                return Err(BrokerError::conflict(
                    "passkey_known",
                    "this passkey is here already",
                    "use it as it is, or another authenticator",
                ));
            }
            other => other?,
        };
        if added == PasskeyAdded::TooMany {
            return Err(too_many());
        }
        if session.step != SignInStep::Done {
            self.finish(session).await?;
        }
        tracing::info!(user = %user.name, passkey = %passkey.label, "Passkey added");
        Ok((passkey, if added == PasskeyAdded::WithCodes { codes } else { Vec::new() }))
    }

    /// A person's own, with the password. Not the last second factor while a group asks for one.
    pub async fn remove_passkey(
        &self,
        session: &WebSession,
        user: &User,
        id: PasskeyId,
        password: Option<SecretString>,
        address: IpAddr,
    ) -> Result<(), BrokerError> {
        let store = &self.inner.store;
        let all = store.passkeys_of(user.id).await?;
        if !all.iter().any(|one| one.id == id) {
            return Err(BrokerError::missing("passkey", id));
        }
        if all.len() == 1 && store.totp(user.id).await?.is_none() {
            self.may_do_without(user.id).await?;
        }
        self.prove_again(session, user, password, address).await?;
        Ok(store.delete_passkey(id, user.id).await?)
    }

    /// A challenge, and what the browser holds until it is answered.
    fn wait_for(
        &self,
        party: &RelyingParty,
        handle: Option<String>,
        context: &str,
    ) -> Result<(String, SecretString), BrokerError> {
        let (challenge, _) = identity::random_token();
        let challenge = challenge.expose_secret().to_owned();
        let waiting = Waiting { challenge: challenge.clone(), origin: party.origin().to_owned(), began: now(), handle };
        let text = serde_json::to_string(&waiting).map_err(|error| BrokerError::internal("a passkey", error))?;
        let sealed =
            self.inner.vault.seal(&text, context).map_err(|error| BrokerError::internal("sealing a passkey", error))?;
        Ok((challenge, sealed.into()))
    }

    /// What this browser was asked, if this is the answer to it.
    fn waited_for(&self, envelope: &str, party: &RelyingParty, context: &str) -> Result<Waiting, BrokerError> {
        let opened = self.inner.vault.open(envelope, context).map_err(|_| over())?;
        let waiting: Waiting = serde_json::from_str(opened.expose_secret()).map_err(|_| over())?;
        let fits = waiting.origin == party.origin()
            && waiting.began <= now().plus_seconds(SKEW_SECONDS)
            && now() < waiting.began.plus_seconds(PASSKEY_SECONDS);
        if fits { Ok(waiting) } else { Err(over()) }
    }

    async fn use_up(&self, waiting: &Waiting) -> Result<(), BrokerError> {
        let hash = identity::sha256_hex(&waiting.challenge);
        let until = waiting.began.plus_seconds(PASSKEY_SECONDS + SKEW_SECONDS);
        if self.inner.store.use_sign_in(&hash, until).await? { Ok(()) } else { Err(over()) }
    }

    /// Which passkey this is, and what it says, if it is of this person (of anybody, where none is named) and right. Whoever does not
    /// know it learns nothing from the refusal.
    async fn proves(
        &self,
        user: Option<&User>,
        party: &RelyingParty,
        waiting: &Waiting,
        shown: &PasskeyShown,
        verified: bool,
    ) -> Result<(Passkey, Asserted), BrokerError> {
        if shown.credential_id.len() > CREDENTIAL_ID_CHARS_MAX {
            return Err(refused());
        }
        let passkey = self.inner.store.passkey_by_credential(&shown.credential_id).await?.ok_or_else(refused)?;
        let of_them = match (user, &shown.user_handle) {
            (Some(user), None) => user.id == passkey.user,
            (Some(user), Some(handle)) => user.id == passkey.user && *handle == passkey.user_handle,
            (None, Some(handle)) => *handle == passkey.user_handle,
            (None, None) => false,
        };
        if !of_them || passkey.rp_id != party.id() {
            return Err(refused());
        }
        let key = of_base64url(&passkey.public_key)
            .ok_or_else(|| BrokerError::internal("a passkey's public key", "it is not base64url"))?;
        let (Some(client_data), Some(data), Some(signature)) =
            (sent(&shown.client_data), sent(&shown.authenticator_data), sent(&shown.signature))
        else {
            return Err(refused());
        };
        let expected = Expected { party, challenge: &waiting.challenge, verified };
        let credential = Credential { public_key: &key, backup_eligible: passkey.synced };
        match assert(&expected, &credential, &client_data, &data, &signature) {
            Ok(asserted) => Ok((passkey, asserted)),
            Err(PasskeyError::NotVerified) => Err(BrokerError::Credentials {
                code: "passkey_unverified",
                text: "your authenticator did not ask for a PIN, a finger or a face, and without a password it must"
                    .into(),
            }),
            Err(error) => {
                tracing::warn!(%error, passkey = %passkey.id, "A passkey's answer does not count");
                Err(refused())
            }
        }
    }

    /// Its counter goes on: one that does not was copied, or the authenticator is broken (WebAuthn level 3, section 6.1.1).
    async fn counted(&self, passkey: &Passkey, asserted: Asserted) -> Result<(), BrokerError> {
        if self.inner.store.use_passkey(passkey.id, asserted.sign_count, now()).await? {
            return Ok(());
        }
        tracing::error!(
            passkey = %passkey.id,
            user = %passkey.user,
            known = passkey.sign_count,
            said = asserted.sign_count,
            "A passkey's counter went back: it may have been copied"
        );
        Err(BrokerError::Forbidden {
            code: "passkey_copied",
            text: "this passkey has counted less than it did before, as a copy of it would".to_owned(),
        })
    }
}

fn party(origin: &str) -> Result<RelyingParty, BrokerError> {
    RelyingParty::of_origin(origin).map_err(|why| {
        let next = match why {
            NoParty::Number => "open Oriel by its host name",
            NoParty::Plain => "open Oriel over https",
            NoParty::NoOrigin => "open Oriel at the address that it prints",
        };
        let text = why.to_string();
        let text = text.split(':').next().unwrap_or_default().to_owned();
        BrokerError::conflict("no_passkeys_here", text, next)
    })
}

fn over() -> BrokerError {
    BrokerError::conflict(
        "passkey_over",
        "this took too long, was answered already, or was asked of another browser",
        "try again, and answer within five minutes",
    )
}

/// The same for a passkey that nobody knows, one of somebody else's, and a wrong signature.
fn refused() -> BrokerError {
    BrokerError::Credentials { code: "bad_passkey", text: "this passkey does not open an account here".into() }
}

fn too_many() -> BrokerError {
    BrokerError::conflict(
        "too_many_passkeys",
        format!("you have {} passkeys already", Passkey::PER_USER_MAX),
        "remove one that you no longer use",
    )
}

fn label_of(text: &str) -> Result<String, BrokerError> {
    let label = text.trim();
    if label.is_empty() || label.chars().count() > Passkey::LABEL_CHARS_MAX || label.chars().any(char::is_control) {
        return Err(BrokerError::invalid(
            "bad_label",
            "the passkey's label is empty or too long",
            format!("say in 1 to {} characters where it is kept", Passkey::LABEL_CHARS_MAX),
        ));
    }
    Ok(label.to_owned())
}

/// Bytes as browsers send them.
fn sent(text: &str) -> Option<Vec<u8>> {
    if text.len() > SENT_CHARS_MAX { None } else { of_base64url(text) }
}

/// Who may bring it back: this person, in this browser.
fn factor_of(user: &User, session: &WebSession) -> String {
    format!("passkey:{}:{}", user.id, session.token_sha256)
}

fn new_of(user: &User, session: &WebSession) -> String {
    format!("new passkey:{}:{}", user.id, session.token_sha256)
}
