//! Waking external machines before they are opened.

use crate::{Broker, BrokerError};
use oriel_model::{DesktopId, GuestPort};

/// How long an awake machine may take to answer.
const PROBE_SECONDS: u16 = 2;

impl Broker {
    /// Wakes an external machine that can be woken and does not answer: sends the packet for it, once. Answers for how many seconds
    /// it may be waited for, or `None` where there is nothing to wait for.
    pub async fn wake_machine(&self, id: DesktopId, port: GuestPort) -> Result<Option<u16>, BrokerError> {
        let desktop = self.inner.store.desktop(id).await?.ok_or_else(|| BrokerError::missing("desktop", id))?;
        let Some(external) = desktop.external.as_ref() else { return Ok(None) };
        let Some(wake) = external.parameters.wake() else { return Ok(None) };
        Self::check_door(&desktop, external, port)?;
        if self.outside().dial(&external.host, external.port, PROBE_SECONDS).await.is_ok() {
            return Ok(None);
        }
        self.outside().wake(wake.mac, wake.to).await.map_err(|error| {
            tracing::warn!(machine = %desktop.name, %error, "A machine cannot be woken");
            // Where it is is for admins.
            BrokerError::conflict(
                "not_woken",
                error.without_address(desktop.name.as_str()),
                format!("oriel machine show {}", desktop.name),
            )
        })?;
        tracing::debug!(machine = %desktop.name, "A machine is being woken");
        Ok(Some(wake.seconds))
    }
}
