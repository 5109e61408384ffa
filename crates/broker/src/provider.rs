//! Providers of identities by which people sign in. How they come back from there is [`crate::provider_sign_in`].

use crate::clock::now;
use crate::{Broker, BrokerError};
use oriel_model::{PROVIDERS_MAX, Provider, ProviderId, ProviderSettings, UserId};
use oriel_oidc::{Looked, Provider as Way};
use secrecy::{ExposeSecret, SecretString};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Questions to providers at the same moment: one that does not answer must not gather them without end.
const QUESTIONS_MAX: usize = 32;

pub struct NewProvider {
    pub name: String,
    pub settings: ProviderSettings,
    /// The client's; a client without one is known by its name alone.
    pub secret: Option<SecretString>,
}

/// What an admin changes; `None` leaves it.
#[derive(Default)]
pub struct ProviderChange {
    pub name: Option<String>,
    pub enabled: Option<bool>,
    /// As a whole.
    pub settings: Option<ProviderSettings>,
    /// An empty one takes it away.
    pub secret: Option<SecretString>,
}

/// What providers said of themselves lately.
pub(crate) struct Known {
    ways: Mutex<HashMap<ProviderId, Arc<Way>>>,
    pub asking: tokio::sync::Semaphore,
}

impl Default for Known {
    fn default() -> Self {
        Self { ways: Mutex::default(), asking: tokio::sync::Semaphore::new(QUESTIONS_MAX) }
    }
}

impl Known {
    /// With other settings it is asked anew.
    pub fn way(&self, provider: &Provider) -> Arc<Way> {
        let mut ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        match ways.get(&provider.id) {
            Some(way) if *way.settings() == provider.settings => Arc::clone(way),
            _ => {
                // Those that were deleted go with the others.
                if ways.len() >= PROVIDERS_MAX {
                    ways.clear();
                }
                let way = Arc::new(Way::new(provider.settings.clone()));
                ways.insert(provider.id, Arc::clone(&way));
                way
            }
        }
    }
}

impl Broker {
    /// In the order of their buttons.
    pub async fn providers(&self) -> Result<Vec<Provider>, BrokerError> {
        Ok(self.inner.store.providers().await?)
    }

    /// By id or by name, compared without case.
    pub async fn find_provider(&self, key: &str) -> Result<Provider, BrokerError> {
        let id = key.parse::<ProviderId>().ok();
        let folded = key.to_lowercase();
        let all = self.providers().await?;
        all.into_iter()
            .find(|one| Some(one.id) == id || one.name.to_lowercase() == folded)
            .ok_or_else(|| BrokerError::missing("provider", key))
    }

    pub async fn has_provider_secret(&self, id: ProviderId) -> Result<bool, BrokerError> {
        Ok(self.inner.store.provider_secret(id).await?.is_some())
    }

    /// Which provider's each user is, for lists.
    pub async fn providers_by_user(&self) -> Result<HashMap<UserId, String>, BrokerError> {
        let (all, people) = tokio::try_join!(self.inner.store.providers(), self.inner.store.users_of_providers())?;
        let names: HashMap<ProviderId, String> = all.into_iter().map(|one| (one.id, one.name)).collect();
        Ok(people.into_iter().filter_map(|(user, of)| Some((user, names.get(&of)?.clone()))).collect())
    }

    /// The name of the provider by which somebody signs in; `None` for everybody else.
    pub async fn provider_of(&self, user: UserId) -> Result<Option<String>, BrokerError> {
        let Some(person) = self.inner.store.provider_person(user).await? else { return Ok(None) };
        Ok(self.inner.store.provider(person.provider).await?.map(|provider| provider.name))
    }

    pub async fn people_of_provider(&self, id: ProviderId) -> Result<u64, BrokerError> {
        Ok(self.inner.store.provider_people(id).await?.len() as u64)
    }

    pub async fn create_provider(&self, new: NewProvider) -> Result<Provider, BrokerError> {
        let provider =
            Provider { id: ProviderId::new(), name: new.name, enabled: true, settings: new.settings, created: now() };
        self.check_provider(&provider).await?;
        if provider.settings.is_proxy() {
            return Err(BrokerError::invalid(
                "bad_provider",
                "the proxy in front is no provider that somebody adds",
                "name its addresses in the configuration (proxy.trust): it is here from the next start on",
            ));
        }
        if self.providers().await?.len() >= PROVIDERS_MAX {
            return Err(BrokerError::conflict(
                "too_many_providers",
                format!("there are {PROVIDERS_MAX} providers already"),
                "remove one by which nobody signs in",
            ));
        }
        let sealed = self.seal_client(&provider, new.secret.as_ref())?;
        self.inner.store.create_provider(&provider, sealed.as_deref()).await?;
        tracing::info!(provider = %provider.name, "Provider added");
        Ok(provider)
    }

    pub async fn change_provider(&self, id: ProviderId, change: ProviderChange) -> Result<Provider, BrokerError> {
        let mut provider = self.provider(id).await?;
        let before = provider.settings.clone();
        provider.name = change.name.unwrap_or(provider.name);
        provider.enabled = change.enabled.unwrap_or(provider.enabled);
        provider.settings = change.settings.unwrap_or(provider.settings);
        self.check_provider(&provider).await?;
        if before.is_proxy() != provider.settings.is_proxy() {
            return Err(BrokerError::invalid(
                "bad_provider",
                "the proxy in front and a provider that is asked are not the same",
                "leave the issuer as it is, and add the other one as a provider of its own",
            ));
        }
        // People are told apart by what their provider calls them: another one gives the same names to others.
        if before.issuer != provider.settings.issuer && self.people_of_provider(id).await? > 0 {
            return Err(BrokerError::conflict(
                "provider_in_use",
                "people here sign in by this provider, and another issuer knows others by the same ids",
                "add the other issuer as a provider of its own",
            ));
        }
        let kept = self.inner.store.provider_secret(id).await?;
        let sealed = match (&change.secret, kept) {
            (Some(_), _) => self.seal_client(&provider, change.secret.as_ref())?,
            // Whoever may change where it goes must not learn it that way.
            (None, Some(_)) if goes_elsewhere(&before, &provider.settings) => {
                return Err(BrokerError::invalid(
                    "secret_missing",
                    "the client's secret was kept for another issuer, certificate or client",
                    "send it again as `secret`",
                ));
            }
            (None, kept) => kept,
        };
        self.inner.store.update_provider(&provider, sealed.as_deref()).await?;
        Ok(provider)
    }

    /// Refused while somebody comes from it.
    pub async fn delete_provider(&self, id: ProviderId) -> Result<(), BrokerError> {
        Ok(self.inner.store.delete_provider(id).await?)
    }

    /// What the provider says of itself, and whether it knows us; changes nothing. `origin` is that of our own pages.
    pub async fn test_provider(&self, id: ProviderId, origin: &str) -> Result<Looked, BrokerError> {
        let provider = self.provider(id).await?;
        if provider.settings.is_proxy() {
            return Err(BrokerError::conflict(
                "provider_is_proxy",
                "the proxy in front is never asked: it says who somebody is with their requests",
                "open Oriel at the proxy's address, and see whom it signs you in as",
            ));
        }
        let secret = self.client_secret(&provider).await?;
        let redirect = redirect_uri(origin, id);
        Ok(self.inner.providers.way(&provider).look(secret.as_ref(), &redirect).await?)
    }

    pub(crate) async fn provider(&self, id: ProviderId) -> Result<Provider, BrokerError> {
        self.inner.store.provider(id).await?.ok_or_else(|| BrokerError::missing("provider", id))
    }

    async fn check_provider(&self, provider: &Provider) -> Result<(), BrokerError> {
        let bad = |text: String| BrokerError::invalid("bad_provider", text, "mend that, and send it again");
        provider.check().map_err(bad)?;
        for mapping in &provider.settings.groups {
            self.find_group(&mapping.group.to_string()).await?;
        }
        Ok(())
    }

    fn seal_client(&self, provider: &Provider, secret: Option<&SecretString>) -> Result<Option<String>, BrokerError> {
        let Some(secret) = secret.filter(|secret| !secret.expose_secret().is_empty()) else { return Ok(None) };
        self.inner
            .vault
            .seal(secret.expose_secret(), &context_of(provider.id))
            .map(Some)
            .map_err(|error| BrokerError::internal("sealing a provider's secret", error))
    }

    pub(crate) async fn client_secret(&self, provider: &Provider) -> Result<Option<SecretString>, BrokerError> {
        let Some(sealed) = self.inner.store.provider_secret(provider.id).await? else { return Ok(None) };
        self.inner
            .vault
            .open(&sealed, &context_of(provider.id))
            .map(Some)
            .map_err(|error| BrokerError::internal("opening a provider's secret", error))
    }
}

/// Where browsers come back to: what is entered at the provider.
pub(crate) fn redirect_uri(origin: &str, id: ProviderId) -> String {
    format!("{origin}/api/v1/sign-in/oidc/{id}/callback")
}

pub(crate) fn context_of(id: ProviderId) -> String {
    format!("provider:{id}")
}

/// Whether a secret that was kept would go to somebody else.
fn goes_elsewhere(before: &ProviderSettings, after: &ProviderSettings) -> bool {
    let way = |of: &ProviderSettings| (of.issuer.clone(), of.client_id.clone(), of.ca.clone(), of.pin.clone());
    way(before) != way(after)
}
