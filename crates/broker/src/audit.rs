//! The audit: rows sealed to one another, searched, and followed from the first to the last.

use crate::clock::now;
use crate::{Broker, BrokerError};
use oriel_identity::sha256_hex;
use oriel_model::{AuditDeed, AuditEntry, AuditQuery};

/// Rows of one answer.
pub const AUDIT_PAGE_MAX: u64 = 500;
/// Rows that are followed at a time.
const STEP: u64 = 1000;

/// What following the rows found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditVerdict {
    /// How many were followed.
    pub rows: u64,
    /// The newest row's number and hash: kept elsewhere, they show later whether rows were cut off at the end.
    pub head: (u64, String),
    /// The first row where it does not hold, and why.
    pub broken: Option<(u64, String)>,
}

impl Broker {
    /// Adds a row.
    pub async fn audit(&self, what: AuditDeed) -> Result<AuditEntry, BrokerError> {
        let entry = self.inner.store.append_audit(now(), what.bounded(), |text| sha256_hex(text.as_bytes())).await?;
        self.wake_subscribers();
        Ok(entry)
    }

    /// The newest first, at most `limit` and [`AUDIT_PAGE_MAX`].
    pub async fn audit_entries(&self, query: &AuditQuery, limit: u64) -> Result<Vec<AuditEntry>, BrokerError> {
        Ok(self.inner.store.audit(query, limit.clamp(1, AUDIT_PAGE_MAX)).await?)
    }

    /// Follows the rows from the first on. `known`: a row's number and hash that somebody kept; it must still be there.
    pub async fn verify_audit(&self, known: Option<(u64, String)>) -> Result<AuditVerdict, BrokerError> {
        // What is added meanwhile is behind it.
        let head = self.inner.store.audit_head().await?;
        let (mut rows, mut previous, mut broken) = (0_u64, String::new(), None);
        'all: while rows < head.0 {
            let step = self.inner.store.audit_from(rows + 1, STEP.min(head.0 - rows)).await?;
            if step.is_empty() {
                break;
            }
            for entry in step {
                if entry.seq > head.0 {
                    break 'all;
                }
                if let Some(why) = fault(&entry, rows + 1, &previous) {
                    broken = Some((rows + 1, why));
                    break 'all;
                }
                rows = entry.seq;
                if let Some((seq, hash)) = &known
                    && *seq == entry.seq
                    && *hash != entry.hash
                {
                    broken = Some((*seq, "it has another hash than the one that was kept".to_owned()));
                    break 'all;
                }
                previous = entry.hash;
            }
        }
        if broken.is_none() && (rows, &previous) != (head.0, &head.1) {
            broken = Some((rows + 1, format!("rows up to {} were added, and are not there", head.0)));
        }
        if let (None, Some((seq, _))) = (&broken, &known)
            && *seq > rows
        {
            broken = Some((rows + 1, format!("row {seq} was there when its hash was kept, and is not any more")));
        }
        Ok(AuditVerdict { rows, head, broken })
    }
}

fn fault(entry: &AuditEntry, seq: u64, previous: &str) -> Option<String> {
    if entry.seq != seq {
        return Some(format!("it is not there, and row {} is", entry.seq));
    }
    if entry.previous != previous {
        return Some("it does not follow the row before: that one was changed or exchanged".to_owned());
    }
    let text = AuditEntry::text(entry.seq, entry.at, &entry.what, &entry.previous);
    (sha256_hex(text.as_bytes()) != entry.hash).then(|| "it was changed".to_owned())
}
