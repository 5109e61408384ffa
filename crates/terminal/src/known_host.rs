//! Accepting exactly one host key.

use russh::client::Handler;
use russh::keys::ssh_key::PublicKey;
use russh::keys::{HashAlg, PublicKeyOrCertificate};
use std::sync::{Arc, Mutex, PoisonError};

/// What the server showed, when it was not what we know.
pub(crate) type Stranger = Arc<Mutex<Option<String>>>;

pub(crate) struct KnownHost {
    expected: PublicKey,
    stranger: Stranger,
}

impl KnownHost {
    pub fn new(expected: PublicKey) -> (Self, Stranger) {
        let stranger = Stranger::default();
        (Self { expected, stranger: Arc::clone(&stranger) }, stranger)
    }
}

impl Handler for KnownHost {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        // A certificate is never accepted for a pinned key: that would move the trust to whoever signed it.
        let (same, seen) = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                (key.key_data() == self.expected.key_data(), key.fingerprint(HashAlg::Sha256).to_string())
            }
            PublicKeyOrCertificate::Certificate(_) => (false, "a certificate".to_owned()),
        };
        if !same {
            *self.stranger.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        }
        Ok(same)
    }
}
