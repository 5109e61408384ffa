//! Signing in by a proxy in front that says who somebody is. It is a provider like others, which is never asked: its people, groups,
//! roles and second factors are settled as theirs are.

use crate::clock::now;
use crate::provider_sign_in::own_path;
use crate::{Arrival, Broker, BrokerError};
use oriel_model::{Provider, ProviderId, ProviderSettings, User};
use oriel_oidc::Found;
use oriel_store::StoreError;
use std::collections::BTreeSet;

/// What it is called until somebody calls it otherwise.
const NAMES: [&str; 2] = ["Single sign-on", "Single sign-on (proxy)"];

/// Whom the proxy lets through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyPerson {
    /// Stays when names change, where the proxy sends one.
    pub subject: String,
    pub name: String,
    pub groups: BTreeSet<String>,
    /// How they showed who they are (RFC 8176).
    pub amr: BTreeSet<String>,
}

impl Broker {
    /// Makes the provider that stands for the proxy in front, where there is none yet.
    pub async fn ensure_proxy_provider(&self) -> Result<(), BrokerError> {
        for name in NAMES {
            if self.providers().await?.iter().any(|one| one.settings.is_proxy()) {
                return Ok(());
            }
            let provider = Provider {
                id: ProviderId::new(),
                name: name.to_owned(),
                enabled: true,
                settings: ProviderSettings::of_proxy(),
                created: now(),
            };
            match self.inner.store.create_provider(&provider, None).await {
                Ok(()) => {
                    tracing::info!(provider = %provider.name, "Provider added for the proxy in front");
                    return Ok(());
                }
                // Another program made it at the same moment, or another provider is called so.
                Err(StoreError::Taken { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if self.providers().await?.iter().any(|one| one.settings.is_proxy()) {
            return Ok(());
        }
        Err(BrokerError::conflict(
            "name_taken",
            format!("providers named {} are here already, and are not the proxy", NAMES.join(" and ")),
            "give one of them another name (oriel provider set NAME --name OTHER), and start again",
        ))
    }

    /// `session` is what the browser is signed in with, if it is, `device_sha256` a remembered one's.
    pub async fn sign_in_by_proxy(
        &self,
        person: &ProxyPerson,
        next: &str,
        session: Option<&str>,
        device_sha256: Option<&str>,
    ) -> Arrival {
        let name: String = person.name.chars().filter(|c| !c.is_control()).take(User::NAME_CHARS_MAX).collect();
        let outcome = self.arrive_by_proxy(person, session, device_sha256).await;
        Arrival { next: own_path(next), name: Some(name), outcome }
    }

    /// Whether somebody's session goes on with whom the proxy names: it does not where another of its people has come to the browser.
    pub async fn goes_with_proxy(&self, user: &User, person: &ProxyPerson) -> Result<bool, BrokerError> {
        // Where the proxy sends no id, the name is all that there is to tell people by. Where it does, names go from one to another.
        let name = person.name.to_lowercase();
        if person.subject == name && user.name.to_lowercase() == name {
            return Ok(true);
        }
        let Some(of) = self.inner.store.provider_person(user.id).await? else { return Ok(true) };
        if of.subject == person.subject {
            return Ok(true);
        }
        let provider = self.inner.store.provider(of.provider).await?;
        Ok(!provider.is_some_and(|provider| provider.settings.is_proxy()))
    }

    async fn arrive_by_proxy(
        &self,
        person: &ProxyPerson,
        session: Option<&str>,
        device_sha256: Option<&str>,
    ) -> Result<crate::SignedIn, BrokerError> {
        let provider = self.providers().await?.into_iter().find(|one| one.settings.is_proxy() && one.enabled);
        let provider = provider.ok_or_else(|| BrokerError::missing("provider", "of the proxy in front"))?;
        if let Some(session) = session
            && let Some((session, user)) = self.session(session).await?
            && session.locked
            && self.goes_with_proxy(&user, person).await?
        {
            // Nobody may have sat down at it who only needs to load the page anew. Another of the proxy's people opens nothing of
            // whose it was: that session goes.
            return Err(BrokerError::Forbidden {
                code: "provider_did_not_ask",
                text: "this browser is locked, and the proxy in front does not ask again who you are".to_owned(),
            });
        }
        let found = Found {
            subject: person.subject.clone(),
            name: person.name.clone(),
            groups: person.groups.clone(),
            signed_in: None,
            second_factor: provider.settings.factor_amr.iter().any(|word| person.amr.contains(word)),
        };
        let user = self.settle_by_provider(&provider, &found).await?;
        if user.disabled {
            return Err(BrokerError::Forbidden {
                code: "not_let_in",
                text: "your account is disabled here".to_owned(),
            });
        }
        let step = self.step_by_provider(&user, &found, device_sha256).await?;
        let signed_in = self.start_session(user, step).await?;
        if let Some(before) = session {
            self.inner.store.delete_web_session(before).await?;
        }
        Ok(signed_in)
    }
}
