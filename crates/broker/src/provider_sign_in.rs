//! Signing in by a provider of identities.
//!
//! ```text
//! begin ─▶ a sealed cookie of this browser: state, nonce, verifier, where to ─▶ provider ─▶ finish: cookie and state fit, first time
//!                                                                 ─▶ code for token ─▶ settle: made, renamed, role, groups ─▶ session
//! ```
//! Nothing is written for somebody who only begins. What comes back is used up before the provider is asked, once among all programs on
//! the database. A person is told by the provider's id of them, never by a name.

use crate::clock::now;
use crate::directory::NO_HASH;
use crate::provider::redirect_uri;
use crate::session::SignedIn;
use crate::{Broker, BrokerError};
use oriel_identity as identity;
use oriel_model::{
    GroupId, Micros, Provider, ProviderId, ProviderPerson, ProviderSettings, Role, SecondFactorRule, SignInStep, User,
    UserId,
};
use oriel_oidc::{Answered, Found, OidcError, SKEW_SECONDS, Wish};
use oriel_store::StoreError;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::PoisonError;

/// How long a browser may take at the provider.
pub const SIGN_IN_SECONDS: i64 = 15 * 60;
/// Longest path that is gone back to, in bytes.
const NEXT_BYTES_MAX: usize = 500;
/// Longest code and state that are looked at, in bytes.
const ANSWER_BYTES_MAX: usize = 4096;
/// What the cookie is sealed for.
const CONTEXT: &str = "sign-in by a provider";

/// A sign-in on its way: what one browser holds, sealed.
#[derive(Serialize, Deserialize)]
struct Waiting {
    provider: ProviderId,
    state: String,
    nonce: String,
    verifier: String,
    redirect_uri: String,
    next: String,
    began: Micros,
    /// The person was to be asked who they are.
    again: bool,
    /// The session that it takes the place of.
    replaces: Option<String>,
}

/// Where the browser goes, and what it holds meanwhile.
pub struct Beginning {
    pub url: String,
    /// None where it is known already who they are.
    pub cookie: Option<SecretString>,
}

/// What came back with the browser.
#[derive(Default)]
pub struct Returned {
    pub state: String,
    pub code: Option<String>,
    pub error: Option<String>,
    pub error_description: Option<String>,
    pub issuer: Option<String>,
}

/// Where somebody goes who came back, and who they are unless they are refused.
pub struct Arrival {
    /// A path of ours.
    pub next: String,
    /// As the provider calls them, for the audit; once it is known.
    pub name: Option<String>,
    pub outcome: Result<SignedIn, BrokerError>,
}

impl Broker {
    /// `origin` is that of our own page which asks; `session` is what the browser is signed in with, if it is.
    pub async fn begin_provider_sign_in(
        &self,
        key: &str,
        origin: &str,
        next: &str,
        again: bool,
        session: Option<&str>,
    ) -> Result<Beginning, BrokerError> {
        let provider = self.find_provider(key).await?;
        if !provider.enabled {
            return Err(BrokerError::missing("provider", key));
        }
        if provider.settings.is_proxy() {
            let next: String = url::form_urlencoded::byte_serialize(own_path(next).as_bytes()).collect();
            return Ok(Beginning { url: format!("/api/v1/sign-in/proxy?next={next}"), cookie: None });
        }
        let locked = match session {
            Some(session) => self.session(session).await?.is_some_and(|(session, _)| session.locked),
            None => false,
        };
        let (state, _) = identity::random_token();
        let (nonce, _) = identity::random_token();
        let (verifier, _) = identity::random_token();
        let waiting = Waiting {
            provider: provider.id,
            state: state.expose_secret().to_owned(),
            nonce: nonce.expose_secret().to_owned(),
            verifier: verifier.expose_secret().to_owned(),
            redirect_uri: redirect_uri(origin, provider.id),
            next: own_path(next),
            began: now(),
            // A browser that was locked is not opened by a provider that knows its person still.
            again: again || locked || provider.settings.ask_again,
            replaces: session.map(str::to_owned),
        };
        let wish = Wish {
            redirect_uri: &waiting.redirect_uri,
            state: &waiting.state,
            nonce: &waiting.nonce,
            verifier: &waiting.verifier,
            again: waiting.again,
        };
        let asking = self.inner.providers.asking.try_acquire().map_err(|_| cannot())?;
        let begun = self.inner.providers.way(&provider).begin(&wish).await.map_err(|error| told(&provider, &error))?;
        drop(asking);
        let text = serde_json::to_string(&waiting).map_err(|error| BrokerError::internal("a sign-in", error))?;
        let cookie =
            self.inner.vault.seal(&text, CONTEXT).map_err(|error| BrokerError::internal("sealing a sign-in", error))?;
        Ok(Beginning { url: begun.url, cookie: Some(cookie.into()) })
    }

    /// `cookie` is what [`Self::begin_provider_sign_in`] gave this browser, `device_sha256` that of a remembered one.
    pub async fn finish_provider_sign_in(
        &self,
        key: &str,
        cookie: Option<&str>,
        returned: &Returned,
        device_sha256: Option<&str>,
        address: IpAddr,
    ) -> Arrival {
        let waiting = match self.waiting(key, cookie, returned) {
            Ok(waiting) => waiting,
            Err(error) => return Arrival { next: "/".to_owned(), name: None, outcome: Err(error) },
        };
        let mut name = None;
        let outcome = self.arrive(&waiting, returned, device_sha256, address, &mut name).await;
        Arrival { next: waiting.next, name, outcome }
    }

    /// What this browser began, if this is the answer to it.
    fn waiting(&self, key: &str, cookie: Option<&str>, returned: &Returned) -> Result<Waiting, BrokerError> {
        let over = || {
            BrokerError::conflict(
                "sign_in_over",
                "this browser has begun no such sign-in, or too long ago, or another one since",
                "sign in again",
            )
        };
        let opened = cookie.and_then(|cookie| self.inner.vault.open(cookie, CONTEXT).ok()).ok_or_else(over)?;
        let waiting: Waiting = serde_json::from_str(opened.expose_secret()).map_err(|_| over())?;
        let fits = waiting.provider.to_string() == key
            && identity::equal(&waiting.state, &returned.state)
            && waiting.began <= now().plus_seconds(SKEW_SECONDS.cast_signed())
            && now() < waiting.began.plus_seconds(SIGN_IN_SECONDS);
        if fits { Ok(waiting) } else { Err(over()) }
    }

    async fn arrive(
        &self,
        waiting: &Waiting,
        returned: &Returned,
        device_sha256: Option<&str>,
        address: IpAddr,
        name: &mut Option<String>,
    ) -> Result<SignedIn, BrokerError> {
        let state_sha256 = identity::sha256_hex(&waiting.state);
        if !self.inner.store.use_sign_in(&state_sha256, waiting.began.plus_seconds(SIGN_IN_SECONDS)).await? {
            return Err(BrokerError::conflict("sign_in_used", "this sign-in came back already", "sign in again"));
        }
        let provider = self.provider(waiting.provider).await?;
        if !provider.enabled {
            return Err(BrokerError::missing("provider", &provider.name));
        }
        let code = match (&returned.code, &returned.error) {
            (Some(code), None) if code.len() <= ANSWER_BYTES_MAX => code,
            (_, error) => return Err(refused_there(&provider, error.as_deref(), returned)),
        };
        let throttle = || self.inner.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        let tries = format!("provider {}", provider.id);
        if let Err(wait) = throttle().check(&tries, address, std::time::Instant::now()) {
            return Err(BrokerError::TooMany { retry_seconds: wait.as_secs().max(1) });
        }
        let answered = Answered {
            code,
            issuer: returned.issuer.as_deref(),
            redirect_uri: &waiting.redirect_uri,
            nonce: &waiting.nonce,
            verifier: &waiting.verifier,
        };
        let secret = self.client_secret(&provider).await?;
        let asking = self.inner.providers.asking.try_acquire().map_err(|_| cannot())?;
        let found = self.inner.providers.way(&provider).finish(secret.as_ref(), &answered).await;
        drop(asking);
        match &found {
            Err(error) if error.is_of_browser() => throttle().failure(&tries, address, std::time::Instant::now()),
            // A provider that is out of order slows nobody down.
            _ => throttle().success(&tries, address),
        }
        let found = found.map_err(|error| told(&provider, &error))?;
        *name = Some(found.name.chars().filter(|c| !c.is_control()).take(User::NAME_CHARS_MAX).collect());
        if waiting.again && !is_fresh(&found, waiting.began) {
            return Err(BrokerError::Forbidden {
                code: "provider_did_not_ask",
                text: format!("{} was to ask who you are, and did not", provider.name),
            });
        }
        let user = self.settle_by_provider(&provider, &found).await?;
        if user.disabled {
            return Err(BrokerError::Forbidden {
                code: "not_let_in",
                text: "your account is disabled here".to_owned(),
            });
        }
        let step = self.step_by_provider(&user, &found, device_sha256).await?;
        let signed_in = self.start_session(user, step).await?;
        if let Some(before) = &waiting.replaces {
            self.inner.store.delete_web_session(before).await?;
        }
        Ok(signed_in)
    }

    /// A second factor that was given there counts, where the provider is trusted with it, but for whom a group asks for ours every time.
    pub(crate) async fn step_by_provider(
        &self,
        user: &User,
        found: &Found,
        device_sha256: Option<&str>,
    ) -> Result<SignInStep, BrokerError> {
        if found.second_factor && self.second_factor_rule(user.id).await? != SecondFactorRule::EveryTime {
            return Ok(SignInStep::Done);
        }
        self.step_of(user, device_sha256).await
    }

    /// Makes true here what the provider says of somebody; who that is here.
    pub(crate) async fn settle_by_provider(&self, provider: &Provider, found: &Found) -> Result<User, BrokerError> {
        let store = &self.inner.store;
        let settings = &provider.settings;
        let person = store.provider_person_by_subject(provider.id, &found.subject).await?;
        if settings.only_mapped && !is_mapped(settings, found) {
            let why = "your account is in no group of the provider that may use Oriel";
            if let Some(person) = person {
                store.set_provider_active(person.user, false).await?;
                store.delete_web_sessions_of(person.user).await?;
                if let Some(sessions) = self.sessions() {
                    sessions.end_user(person.user, why).await;
                }
            }
            return Err(BrokerError::Forbidden { code: "not_let_in", text: why.to_owned() });
        }
        let user = match person {
            Some(person) => store.user(person.user).await?.ok_or_else(|| BrokerError::missing("user", person.user))?,
            None => self.make_of_provider(provider, found).await?,
        };
        if user.disabled {
            return Ok(user);
        }
        let user = self.rename(user, &found.name).await?;
        store.put_provider_person(&person_of(provider, found, user.id)).await?;
        self.make_true(user, role(settings, found), mapped(settings, found)).await
    }

    async fn make_of_provider(&self, provider: &Provider, found: &Found) -> Result<User, BrokerError> {
        crate::user::check_user_name(&found.name)?;
        let user = User {
            id: UserId::new(),
            name: found.name.clone(),
            role: role(&provider.settings, found).unwrap_or(Role::User),
            must_change_password: false,
            disabled: false,
            created: now(),
        };
        let of = person_of(provider, found, user.id);
        match self.inner.store.create_provider_user(&user, NO_HASH, &of).await {
            Ok(()) => {}
            Err(StoreError::Taken { what: "user", .. }) => {
                return Err(BrokerError::conflict(
                    "name_taken_here",
                    format!("an account named {} is here already, and does not come from this provider", found.name),
                    "an administrator can delete that account, or make room by another name",
                ));
            }
            Err(StoreError::Taken { .. }) => {
                return Err(BrokerError::conflict(
                    "sign_in_again",
                    "you are signing in for the first time in two places at once",
                    "sign in once more",
                ));
            }
            Err(error) => return Err(error.into()),
        }
        tracing::info!(user = %user.name, provider = %provider.name, "User came from a provider");
        Ok(user)
    }
}

/// Nobody in front of the door needs to know where providers are, and what ails them.
fn told(provider: &Provider, error: &OidcError) -> BrokerError {
    tracing::error!(%error, provider = %provider.name, "A sign-in by a provider failed");
    if error.is_of_browser() {
        return BrokerError::Credentials {
            code: "provider_answer_bad",
            text: "what came back from the provider is not to be trusted".to_owned(),
        };
    }
    if let OidcError::NoClaim { .. } | OidcError::TooManyGroups = error {
        return BrokerError::conflict(
            "provider_says_too_little",
            "the provider does not say enough of you",
            "an administrator finds what is missing in the log of `oriel serve`",
        );
    }
    cannot()
}

fn cannot() -> BrokerError {
    BrokerError::conflict(
        "provider_failed",
        "the provider could not be asked who you are",
        "try again in a moment; an administrator finds the reason in the log of `oriel serve`",
    )
}

/// It sent the browser back without a code (RFC 6749, section 4.1.2.1).
fn refused_there(provider: &Provider, error: Option<&str>, returned: &Returned) -> BrokerError {
    let line = |text: &str| text.chars().filter(|c| !c.is_control()).take(200).collect::<String>();
    let error = line(error.unwrap_or("no code"));
    let why = line(returned.error_description.as_deref().unwrap_or_default());
    tracing::warn!(%error, %why, provider = %provider.name, "A provider refused a sign-in");
    if error == "access_denied" {
        return BrokerError::Forbidden {
            code: "provider_denied",
            text: format!("you were not signed in at {}", provider.name),
        };
    }
    cannot()
}

/// Whether they showed who they are after they were sent there.
fn is_fresh(found: &Found, began: Micros) -> bool {
    let began = u64::try_from(began.0 / 1_000_000).unwrap_or_default();
    found.signed_in.is_some_and(|at| at.saturating_add(SKEW_SECONDS) >= began)
}

/// A path of our own pages: whatever else is asked for leads to the first one.
pub(crate) fn own_path(next: &str) -> String {
    let good = next.len() <= NEXT_BYTES_MAX
        && next.starts_with('/')
        // Browsers take `//host` and `/\host` for another site.
        && !next.starts_with("//")
        && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\' && b != b'#');
    if good { next.to_owned() } else { "/".to_owned() }
}

fn person_of(provider: &Provider, found: &Found, user: UserId) -> ProviderPerson {
    ProviderPerson { user, provider: provider.id, subject: found.subject.clone(), active: true, seen: now() }
}

fn is_mapped(settings: &ProviderSettings, found: &Found) -> bool {
    mapped(settings, found).values().any(|belongs| *belongs)
        || settings.roles.iter().any(|one| found.groups.contains(&one.value))
}

/// Each group of ours that the provider decides about, and whether this person is in it.
fn mapped(settings: &ProviderSettings, found: &Found) -> BTreeMap<GroupId, bool> {
    let mut groups = BTreeMap::new();
    for mapping in &settings.groups {
        *groups.entry(mapping.group).or_insert(false) |= found.groups.contains(&mapping.value);
    }
    groups
}

fn role(settings: &ProviderSettings, found: &Found) -> Option<Role> {
    if settings.roles.is_empty() {
        return None;
    }
    Some(settings.roles.iter().find(|one| found.groups.contains(&one.value)).map_or(Role::User, |one| one.role))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for own in ["/", "/pools?all=true", "/?next=%2Fviewer%2F%3Fdesktop%3D1", "/a//b"] {
            assert_eq!(own_path(own), own);
        }
        let long = format!("/{}", "a".repeat(NEXT_BYTES_MAX));
        for bad in [
            "",
            "//evil.lab",
            "/\\evil.lab",
            "https://evil.lab",
            "javascript:alert(1)",
            "evil",
            "/a\r\nLocation: x",
            "/\t/evil.lab",
            "/a b",
            "/ä",
            "/#x",
            &long,
        ] {
            assert_eq!(own_path(bad), "/", "{bad:?}");
        }
    }
}
