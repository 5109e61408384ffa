//! Long jobs: asking for them, watching, cancelling, resuming. [`crate::reconcile`] runs them.

use crate::clock::now;
use crate::{Broker, BrokerError};
use oriel_model::{ImageOs, Name, Operation, OperationId, OperationKind, OperationState, UserId};

/// Operations that a list shows.
const LISTED_MAX: u64 = 200;
/// Operations that may wait.
const QUEUED_MAX: usize = 50;

/// What an admin asks to be built or brought in.
pub enum BuildRequest {
    Build { recipe: String, name: Name },
    Import { from: String, name: Name, sha256: Option<String>, os: ImageOs },
}

impl Broker {
    pub async fn operations(&self) -> Result<Vec<Operation>, BrokerError> {
        Ok(self.inner.store.operations(LISTED_MAX).await?)
    }

    pub async fn find_operation(&self, key: &str) -> Result<Operation, BrokerError> {
        let missing = || BrokerError::missing("operation", key);
        let id: OperationId = key.parse().map_err(|_| missing())?;
        self.inner.store.operation(id).await?.ok_or_else(missing)
    }

    pub async fn start_operation(&self, request: BuildRequest, by: Option<UserId>) -> Result<Operation, BrokerError> {
        let kind = match request {
            BuildRequest::Build { recipe, name } => {
                if !oriel_image::recipes().iter().any(|known| known.name == recipe) {
                    return Err(BrokerError::missing("recipe", recipe));
                }
                OperationKind::ImageBuild { recipe, name: name.to_string() }
            }
            BuildRequest::Import { from, name, sha256, os } => {
                if let Some(sum) = &sha256
                    && (sum.len() != 64 || !sum.chars().all(|c| c.is_ascii_hexdigit()))
                {
                    return Err(BrokerError::invalid(
                        "bad_checksum",
                        "the checksum is not a SHA-256",
                        "give 64 hexadecimal digits, as `sha256sum FILE` prints them",
                    ));
                }
                OperationKind::ImageImport { from, name: name.to_string(), sha256, os }
            }
        };
        self.queue_operation(kind, by).await
    }

    pub(crate) async fn queue_operation(
        &self,
        kind: OperationKind,
        by: Option<UserId>,
    ) -> Result<Operation, BrokerError> {
        let waiting = self.operations().await?.iter().filter(|op| op.state == OperationState::Queued).count();
        if waiting >= QUEUED_MAX {
            return Err(BrokerError::conflict(
                "too_many_operations",
                format!("{QUEUED_MAX} operations are waiting already"),
                "wait for some to finish, or cancel them",
            ));
        }
        let operation = Operation {
            id: OperationId::new(),
            kind,
            state: OperationState::Queued,
            progress: 0.0,
            step: "waiting".into(),
            log: Vec::new(),
            error: None,
            result: None,
            cancel_requested: false,
            by,
            created: now(),
            changed: now(),
        };
        self.inner.store.create_operation(&operation).await?;
        self.wake_operations();
        Ok(operation)
    }

    /// Asks a job to stop. One that has ended stays as it is.
    pub async fn cancel_operation(&self, id: OperationId) -> Result<Operation, BrokerError> {
        let operation = self
            .inner
            .store
            .modify_operation(id, |operation| match operation.state {
                OperationState::Queued => {
                    operation.state = OperationState::Cancelled;
                    operation.step = "cancelled".into();
                }
                OperationState::Running => operation.cancel_requested = true,
                OperationState::Done | OperationState::Failed | OperationState::Cancelled => {}
            })
            .await?;
        self.wake_operations();
        if let OperationKind::ImageCapture { desktop, .. } = &operation.kind {
            self.wake_desktop(*desktop);
        }
        Ok(operation)
    }

    /// Puts a cancelled or failed job back into the queue; it goes on where its finished steps end.
    pub async fn resume_operation(&self, id: OperationId) -> Result<Operation, BrokerError> {
        let operation = self
            .inner
            .store
            .modify_operation(id, |operation| {
                if matches!(operation.state, OperationState::Cancelled | OperationState::Failed) {
                    operation.state = OperationState::Queued;
                    operation.cancel_requested = false;
                    operation.error = None;
                    operation.step = "waiting".into();
                }
            })
            .await?;
        if operation.state == OperationState::Done {
            return Err(BrokerError::conflict(
                "operation_done",
                "this operation is done already",
                "start a new one to do it again",
            ));
        }
        self.wake_operations();
        Ok(operation)
    }
}
