//! Golden disks.

use crate::{Broker, BrokerError};
use oriel_model::{Image, ImageId, Name};
use oriel_store::StoreError;

impl Broker {
    pub async fn images(&self) -> Result<Vec<Image>, BrokerError> {
        Ok(self.inner.store.images().await?)
    }

    /// By id, by name (its newest version) or by `name:version`.
    pub async fn find_image(&self, key: &str) -> Result<Image, BrokerError> {
        let missing = || BrokerError::missing("image", key);
        if let Ok(id) = key.parse::<ImageId>() {
            return self.inner.store.image(id).await?.ok_or_else(missing);
        }
        let (name, version) = match key.split_once(':') {
            Some((name, version)) => (name, Some(version.parse::<u32>().map_err(|_| missing())?)),
            None => (key, None),
        };
        let name: Name = name.parse().map_err(|_| missing())?;
        self.inner.store.image_by_name(&name, version).await?.ok_or_else(missing)
    }

    /// Deletes the image's row and, when no other image has the same content, its file.
    pub async fn delete_image(&self, id: ImageId) -> Result<(), BrokerError> {
        let image = self.inner.store.image(id).await?.ok_or_else(|| BrokerError::missing("image", id))?;
        // The row first: a file without a row is swept, a row without a file would be a broken promise.
        match self.inner.store.delete_image(id).await {
            Err(StoreError::InUse { .. }) => return Err(self.image_in_use(&image).await?),
            deleted => deleted?,
        }
        if !self.inner.store.images().await?.iter().any(|other| other.sha256 == image.sha256) {
            self.inner.images.remove(&image.sha256)?;
        }
        Ok(())
    }
}
