//! How the gateway gets into a desktop's guest.

use crate::{Broker, BrokerError};
use oriel_compute::Stream;
use oriel_machine::GuestIdentity;
use oriel_model::{Desktop, DesktopId, GuestPort};
use secrecy::{ExposeSecret, SecretString};

/// An open stream to a guest and what to say on it.
pub struct GuestAccess {
    pub name: String,
    pub stream: Box<dyn Stream>,
    pub credentials: GuestCredentials,
}

pub enum GuestCredentials {
    Rdp { user: String, password: SecretString, certificate_sha256: String, keyboard: String },
    Console,
    Ssh { user: String, key: SecretString, host_key: String },
}

impl Broker {
    /// Opens a stream to the guest through its host, with the credentials that its seed gave it.
    pub async fn guest_access(&self, id: DesktopId, port: GuestPort) -> Result<GuestAccess, BrokerError> {
        let desktop = self.inner.store.desktop(id).await?.ok_or_else(|| BrokerError::missing("desktop", id))?;
        let credentials = match port {
            GuestPort::Console => GuestCredentials::Console,
            GuestPort::Rdp | GuestPort::Ssh => self.credentials(&desktop, port).await?,
        };
        let stream = self.inner.compute.dial(&desktop, port).await?;
        Ok(GuestAccess { name: desktop.name.to_string(), stream, credentials })
    }

    async fn credentials(&self, desktop: &Desktop, port: GuestPort) -> Result<GuestCredentials, BrokerError> {
        let identity = self.guest_identity(desktop).await?;
        Ok(if port == GuestPort::Ssh {
            GuestCredentials::Ssh {
                user: identity.user.clone(),
                key: identity.client_key.clone(),
                host_key: identity.ssh_host_public.clone(),
            }
        } else {
            let pool = self.find_pool(&desktop.pool.to_string()).await?;
            GuestCredentials::Rdp {
                user: identity.user.clone(),
                password: identity.password.clone(),
                certificate_sha256: identity.rdp_certificate_sha256.clone(),
                keyboard: pool.keyboard,
            }
        })
    }

    pub(crate) async fn guest_identity(&self, desktop: &Desktop) -> Result<GuestIdentity, BrokerError> {
        let sealed = self.inner.store.secret(desktop.id).await?.ok_or_else(|| {
            BrokerError::conflict(
                "no_credentials",
                format!("{} has no credentials yet", desktop.name),
                "wait until it has started, or recycle it",
            )
        })?;
        let text = self
            .inner
            .vault
            .open(&sealed, &sealing_context(desktop.id))
            .map_err(|error| BrokerError::internal("unsealing a desktop's credentials", error))?;
        GuestIdentity::from_json(&text).map_err(|error| BrokerError::internal("reading a desktop's credentials", error))
    }

    pub(crate) async fn keep_guest_identity(&self, id: DesktopId, identity: &GuestIdentity) -> Result<(), BrokerError> {
        let text =
            identity.to_json().map_err(|error| BrokerError::internal("writing a desktop's credentials", error))?;
        let sealed = self
            .inner
            .vault
            .seal(text.expose_secret(), &sealing_context(id))
            .map_err(|error| BrokerError::internal("sealing a desktop's credentials", error))?;
        Ok(self.inner.store.put_secret(id, &sealed).await?)
    }
}

/// Binds a sealed text to its row, so that rows cannot be exchanged.
fn sealing_context(id: DesktopId) -> String {
    format!("desktop:{id}")
}
