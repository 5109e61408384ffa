//! One recording's key.

use crate::RecordingError;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use secrecy::{ExposeSecret, SecretString};

/// Bytes that sealing adds to a part.
pub(crate) const TAG_BYTES: usize = 16;

/// AES-256-GCM with a key that seals one recording and nothing else. Parts are numbered and no number is sealed twice, so
/// the number is the nonce.
pub struct DataKey {
    key: LessSafeKey,
}

impl DataKey {
    /// A fresh key, and its text to be sealed and kept.
    pub fn random() -> Result<(Self, SecretString), RecordingError> {
        let mut bytes = [0u8; 32];
        rand::fill(&mut bytes).map_err(|_| RecordingError::Refused)?;
        let text = SecretString::from(STANDARD_NO_PAD.encode(bytes));
        Ok((Self::from_text(&text)?, text))
    }

    pub fn from_text(text: &SecretString) -> Result<Self, RecordingError> {
        let bytes = STANDARD_NO_PAD.decode(text.expose_secret()).map_err(|_| RecordingError::BadKey)?;
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| RecordingError::BadKey)?;
        Ok(Self { key: LessSafeKey::new(key) })
    }

    pub(crate) fn seal(&self, number: u32, name: &str, mut data: Vec<u8>) -> Result<Vec<u8>, RecordingError> {
        self.key
            .seal_in_place_append_tag(nonce(number), Aad::from(name), &mut data)
            .map_err(|_| RecordingError::Refused)?;
        Ok(data)
    }

    /// `None` when it was damaged or sealed as something else.
    pub(crate) fn open(&self, number: u32, name: &str, mut data: Vec<u8>) -> Option<Vec<u8>> {
        let length = self.key.open_in_place(nonce(number), Aad::from(name), &mut data).ok()?.len();
        data.truncate(length);
        Some(data)
    }
}

fn nonce(number: u32) -> Nonce {
    let mut bytes = [0u8; NONCE_LEN];
    for (to, from) in bytes.iter_mut().zip(number.to_le_bytes()) {
        *to = from;
    }
    Nonce::assume_unique_for_key(bytes)
}
