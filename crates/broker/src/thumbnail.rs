//! Small pictures of desktops: from a live connection when there is one, else from the machine's own screen.

use crate::{Broker, BrokerError};
use oriel_identity::sha256_hex;
use oriel_model::{Desktop, DesktopId, DesktopState};
use oriel_screen::{Rect, Surface, encode};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
pub(crate) struct Cache(Mutex<HashMap<DesktopId, Cached>>);

struct Cached {
    made: Instant,
    /// Of a person's session, not of the machine's own screen.
    of_session: bool,
    thumbnail: Thumbnail,
}

impl Cache {
    fn fresh(&self, id: DesktopId) -> Option<Thumbnail> {
        self.lock().get(&id).filter(|cached| cached.made.elapsed() < FRESH).map(|cached| cached.thumbnail.clone())
    }

    /// The last picture of a session, however old: what a person left is what they come back to.
    fn of_session(&self, id: DesktopId) -> Option<Thumbnail> {
        self.lock().get(&id).filter(|cached| cached.of_session).map(|cached| cached.thumbnail.clone())
    }

    fn forget(&self, id: DesktopId) {
        self.lock().remove(&id);
    }

    fn keep(&self, id: DesktopId, of_session: bool, thumbnail: Thumbnail) {
        let mut cached = self.lock();
        if cached.len() >= CACHED_MAX {
            cached.retain(|_, cached| cached.made.elapsed() < FRESH);
        }
        if cached.len() < CACHED_MAX {
            cached.insert(id, Cached { made: Instant::now(), of_session, thumbnail });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DesktopId, Cached>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        let cache = &self.inner.thumbnails;
        // What one of many shows is not for the others.
        if desktop.owner.is_none() && (desktop.external.is_some() || self.is_session_host(desktop.pool).await?) {
            return Ok(None);
        }
        if !matches!(desktop.state, DesktopState::Starting | DesktopState::Ready | DesktopState::InUse) {
            cache.forget(desktop.id);
            return Ok(None);
        }
        if let Some(thumbnail) = cache.fresh(desktop.id) {
            return Ok(Some(thumbnail));
        }
        let live = match self.sessions() {
            Some(sessions) => sessions.thumbnail(desktop.id, WIDTH_MAX).await,
            None => None,
        };
        let of_session = live.is_some();
        if !of_session && let Some(last) = cache.of_session(desktop.id) {
            return Ok(Some(last));
        }
        let jpeg = match live {
            Some(jpeg) => Some(jpeg),
            // Only while somebody watches: Oriel does not sign in just to look.
            None if desktop.external.is_some() => None,
            None if desktop.host.as_ref().is_some_and(|host| host.starts_with(oriel_model::Cloud::HOST_PREFIX)) => None,
            None => {
                let shot = self.inner.compute.screenshot(desktop.id).await?;
                tokio::task::spawn_blocking(move || shrink(&shot))
                    .await
                    .map_err(|error| BrokerError::internal("making a thumbnail", error))?
            }
        };
        let Some(jpeg) = jpeg else { return Ok(None) };
        let thumbnail = Thumbnail { etag: sha256_hex(&jpeg).chars().take(32).collect(), jpeg: Arc::new(jpeg) };
        cache.keep(desktop.id, of_session, thumbnail.clone());
        Ok(Some(thumbnail))
    }
}
