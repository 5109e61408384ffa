//! What we sign in with.

use crate::TerminalError;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Certificate, PrivateKey, decode_secret_key};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;

/// Longest private key or certificate, in bytes of text.
const KEY_BYTES_MAX: usize = 64 << 10;

/// Who we are on the machine. What is there is tried in this order: certificate, key, password; each when the machine takes it.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Credentials {
    pub user: String,
    pub key: Option<Key>,
    #[serde(with = "oriel_model::carried::option")]
    pub password: Option<SecretString>,
}

/// A private key: OpenSSH, PKCS#1, PKCS#8 or PuTTY (PPK); ed25519, ECDSA or RSA.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Key {
    #[serde(with = "oriel_model::carried")]
    pub private: SecretString,
    /// When it is encrypted.
    #[serde(with = "oriel_model::carried::option")]
    pub passphrase: Option<SecretString>,
    /// The user certificate for it: the line of `ssh-ed25519-cert.pub`.
    pub certificate: Option<String>,
}

impl Credentials {
    pub fn password(user: impl Into<String>, password: SecretString) -> Self {
        Self { user: user.into(), key: None, password: Some(password) }
    }

    pub fn key(user: impl Into<String>, private: SecretString) -> Self {
        let key = Key { private, passphrase: None, certificate: None };
        Self { user: user.into(), key: Some(key), password: None }
    }
}

/// A key that was read.
pub(crate) struct Identity {
    pub key: Arc<PrivateKey>,
    pub certificate: Option<Certificate>,
}

impl Key {
    /// Whether it can be used, before it is.
    pub fn check(&self) -> Result<(), TerminalError> {
        self.read().map(drop)
    }

    pub(crate) fn read(&self) -> Result<Identity, TerminalError> {
        let bad = |what, why: String| TerminalError::BadCredentials { what, why };
        let text = self.private.expose_secret();
        if text.len() > KEY_BYTES_MAX {
            return Err(bad("private key", format!("it is longer than {KEY_BYTES_MAX} bytes")));
        }
        let passphrase = self.passphrase.as_ref().map(ExposeSecret::expose_secret);
        let key = decode_secret_key(text, passphrase).map_err(|error| bad("private key", error.to_string()))?;
        let certificate = match &self.certificate {
            Some(text) => Some(certificate(text, &key).map_err(|why| bad("certificate", why))?),
            None => None,
        };
        Ok(Identity { key: Arc::new(key), certificate })
    }
}

fn certificate(text: &str, key: &PrivateKey) -> Result<Certificate, String> {
    if text.len() > KEY_BYTES_MAX {
        return Err(format!("it is longer than {KEY_BYTES_MAX} bytes"));
    }
    let certificate = Certificate::from_openssh(text.trim()).map_err(|error| error.to_string())?;
    if certificate.cert_type() != CertType::User {
        return Err("it is a host's certificate, not a user's".into());
    }
    if certificate.public_key() != key.public_key().key_data() {
        return Err("it was made for another key".into());
    }
    Ok(certificate)
}
