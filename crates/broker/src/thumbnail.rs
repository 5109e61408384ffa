//! Small pictures of desktops: from a live connection when there is one, else from the machine's own screen.

use crate::{Broker, BrokerError};
use oriel_identity::sha256_hex;
use oriel_model::{Desktop, DesktopId, DesktopState};
use oriel_screen::{Rect, Surface, encode};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Width of a thumbnail, in pixels, at most.
const WIDTH_MAX: u16 = 480;
/// A picture is made anew at most so often, however many pages ask.
const FRESH: Duration = Duration::from_secs(4);
/// Pictures kept.
const CACHED_MAX: usize = 512;

#[derive(Clone)]
pub struct Thumbnail {
    pub jpeg: Arc<Vec<u8>>,
    /// Changes with the picture.
    pub etag: String,
}

#[derive(Default)]
pub(crate) struct Cache(Mutex<HashMap<DesktopId, (Instant, Thumbnail)>>);

impl Cache {
    fn fresh(&self, id: DesktopId) -> Option<Thumbnail> {
        let cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cached.get(&id).filter(|(made, _)| made.elapsed() < FRESH).map(|(_, thumbnail)| thumbnail.clone())
    }

    fn keep(&self, id: DesktopId, thumbnail: Thumbnail) {
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cached.len() >= CACHED_MAX {
            cached.retain(|_, (made, _)| made.elapsed() < FRESH);
        }
        if cached.len() < CACHED_MAX {
            cached.insert(id, (Instant::now(), thumbnail));
        }
    }
}

/// A machine's own picture is larger than a surface may be only when something is wrong with it: then there is none.
fn shrink(shot: &oriel_compute::Screenshot) -> Option<Vec<u8>> {
    let (width, height) = (u16::try_from(shot.width).ok()?, u16::try_from(shot.height).ok()?);
    let mut surface = Surface::new(width, height).ok()?;
    surface.put_rgba(Rect::new(0, 0, width, height), &shot.rgba).ok()?;
    encode::thumbnail(&surface, WIDTH_MAX)
}

impl Broker {
    /// `None` when the desktop shows nothing.
    pub async fn thumbnail(&self, desktop: &Desktop) -> Result<Option<Thumbnail>, BrokerError> {
        if !matches!(desktop.state, DesktopState::Starting | DesktopState::Ready | DesktopState::InUse) {
            return Ok(None);
        }
        if let Some(thumbnail) = self.inner.thumbnails.fresh(desktop.id) {
            return Ok(Some(thumbnail));
        }
        let live = match self.sessions() {
            Some(sessions) => sessions.thumbnail(desktop.id, WIDTH_MAX).await,
            None => None,
        };
        let jpeg = match live {
            Some(jpeg) => Some(jpeg),
            None => {
                let shot = self.inner.compute.screenshot(desktop.id).await?;
                tokio::task::spawn_blocking(move || shrink(&shot))
                    .await
                    .map_err(|error| BrokerError::internal("making a thumbnail", error))?
            }
        };
        let Some(jpeg) = jpeg else { return Ok(None) };
        let thumbnail = Thumbnail { etag: sha256_hex(&jpeg).chars().take(32).collect(), jpeg: Arc::new(jpeg) };
        self.inner.thumbnails.keep(desktop.id, thumbnail.clone());
        Ok(Some(thumbnail))
    }
}
