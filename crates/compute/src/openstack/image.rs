//! Bringing an image's version to Glance, once.

use super::OpenStackCompute;
use crate::{ComputeError, ImageFile};
use std::time::{Duration, Instant};
use tokio::io::AsyncSeekExt;

/// By this an image is found again: a lost answer, or another try, makes no second one.
const SHA256: &str = "oriel_sha256";
/// Between two looks how far it is.
const LOOK: Duration = Duration::from_secs(1);
/// Glance checks what it got and puts it where it keeps images.
const SETTLE_SECONDS_MAX: u64 = 600;

impl OpenStackCompute {
    pub(super) async fn bring(
        &self,
        image: &ImageFile<'_>,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<String, ComputeError> {
        let failed = |error| self.failed(error);
        let mut empty = None;
        // Snapshots of servers, and shelved ones, have the properties of the image that they were made of.
        let own = self.client.own_images_with(SHA256, image.sha256).await.map_err(failed)?;
        for found in own.into_iter().filter(|one| !one.is_snapshot) {
            match found.status.as_str() {
                "active" => return Ok(found.id),
                "queued" if empty.is_none() => empty = Some(found.id),
                // An upload that was cut off, by us or on the way.
                "queued" | "saving" | "killed" => self.client.delete_image(&found.id).await.map_err(failed)?,
                _ => {}
            }
        }
        let mut file = tokio::fs::File::open(image.path).await.map_err(ComputeError::file("open", image.path))?;
        let bytes = file.metadata().await.map_err(ComputeError::file("look at", image.path))?.len();
        // The two share their place in the file.
        let sent = file.try_clone().await.map_err(ComputeError::file("open", image.path))?;
        file.rewind().await.map_err(ComputeError::file("read", image.path))?;
        let id = match empty {
            Some(id) => id,
            None => self.client.create_image(image.name, "qcow2", (SHA256, image.sha256)).await.map_err(failed)?,
        };
        let upload = self.client.upload_image(&id, file, bytes);
        tokio::pin!(upload);
        let mut sent = sent;
        loop {
            tokio::select! {
                done = &mut upload => {
                    done.map_err(failed)?;
                    break;
                }
                () = tokio::time::sleep(LOOK) => {
                    if let Ok(place) = sent.stream_position().await {
                        progress(place.min(bytes));
                    }
                }
            }
        }
        progress(bytes);
        self.until_active(&id).await?;
        Ok(id.clone())
    }

    async fn until_active(&self, id: &str) -> Result<(), ComputeError> {
        let began = Instant::now();
        loop {
            let now = self.client.image(id).await.map_err(|error| self.failed(error))?;
            match now.status.as_str() {
                "active" => return Ok(()),
                "saving" | "importing" if began.elapsed() < Duration::from_secs(SETTLE_SECONDS_MAX) => {}
                "saving" | "importing" => {
                    let cloud = self.config.name.clone();
                    return Err(ComputeError::CloudSlow {
                        cloud,
                        action: "taken an image in",
                        seconds: SETTLE_SECONDS_MAX,
                    });
                }
                status => {
                    let reason =
                        format!("it took an image and says that it is {status}; its admins see why in Glance's log");
                    return Err(ComputeError::NoPlace { cloud: self.config.name.clone(), reason });
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
