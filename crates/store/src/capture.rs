//! Holding a desktop while its disk is made into an image.

use crate::{
    Store, StoreError,
    desktop::{locked, refused, write},
    seat::entered_until,
};
use oriel_model::{Capture, CaptureStep, Desktop, DesktopId, DesktopIntent, Micros, OperationId};

impl Store {
    /// Holds a desktop when `may` says so of it as it is now, and of until when somebody is, or was, there: from then on nobody gets in, and no
    /// pool does anything with it. Answers whether it is held. Errors: `Missing`.
    pub async fn hold_for_capture(
        &self,
        id: DesktopId,
        operation: OperationId,
        now: Micros,
        may: impl FnOnce(&Desktop, Option<Micros>) -> bool + Send,
    ) -> Result<bool, StoreError> {
        let txn = self.begin().await?;
        let mut desktop = locked(&txn, id).await?;
        let last = entered_until(&txn, id).await?;
        if !matches!(desktop.intent, DesktopIntent::Running | DesktopIntent::Stopped) || !may(&desktop, last) {
            return Ok(false);
        }
        let was_running = desktop.intent == DesktopIntent::Running;
        desktop.intent = DesktopIntent::Capture;
        desktop.facts.capture = Some(Capture { operation, step: CaptureStep::Claimed, was_running });
        desktop.facts.ends = None;
        desktop.changed = now.max(desktop.changed);
        write(&txn, &desktop).await.map_err(|error| refused(error, &desktop))?;
        txn.commit().await?;
        Ok(true)
    }
}
