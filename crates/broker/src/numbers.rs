//! What those who watch want to know: numbers, and whether the database is there.

use crate::{Broker, BrokerError};
use oriel_model::GpuClaim;
use oriel_store::DesktopCount;

impl Broker {
    /// How many desktops each pool has in each state.
    pub async fn desktop_counts(&self) -> Result<Vec<DesktopCount>, BrokerError> {
        Ok(self.inner.store.desktop_counts().await?)
    }

    /// Every unit of a GPU that a desktop holds.
    pub async fn gpu_claims(&self) -> Result<Vec<GpuClaim>, BrokerError> {
        Ok(self.inner.store.gpu_claims().await?)
    }

    /// Asks the database for nothing. Errors: why it does not answer.
    pub async fn database_answers(&self) -> Result<(), BrokerError> {
        Ok(self.inner.store.ping().await?)
    }
}
